"""Groups that ModelOpt's rules score at another module's output, as later versions do with attention."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from modelopt.torch.quantization.algorithms import AutoQuantizeGradientSearcher
from tests.engine.modelopt_direct import scored_groups, search_state
from transformers.models.llama.modeling_llama import LlamaAttention

from auto_quantize_model import run_cases
from auto_quantize_model.cases.settings import Tolerances
from auto_quantize_model.comparison.compare import compare
from auto_quantize_model.comparison.wording import describe

if TYPE_CHECKING:
    from collections.abc import Callable

    from auto_quantize_model import Suite

QKV = r"^(.*?\.self_attn)\.(q_proj|k_proj|v_proj)$"
ALL = r"^(.*?\.self_attn)\.(q_proj|k_proj|v_proj|o_proj)$"
"""What two proposals for ModelOpt score at the attention's output."""
SIZES = "dataset.size_to_max_samples={small: 12, medium: 12, large: 24}"


@pytest.fixture
def scored_there(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Another version's rule, and attention called so that this version's search can score there."""
    rules = [*AutoQuantizeGradientSearcher.score_module_rules, request.param]
    monkeypatch.setattr(AutoQuantizeGradientSearcher, "score_module_rules", rules)

    def called(self: Any, hidden_states: torch.Tensor, **others: Any) -> Any:
        return torch.nn.Module.__call__(self, hidden_states, **others, past_key_values=None)

    def without_cache(self: Any, hidden_states: torch.Tensor, past_key_values: Any = None, **others: Any) -> Any:
        # What runs again must not add to a cache.
        return called(self, hidden_states, **others)

    monkeypatch.setattr(LlamaAttention, "__call__", without_cache)
    return str(request.param)


@pytest.mark.parametrize("scored_there", [QKV, ALL], indirect=True, ids=["qkv", "all"])
@pytest.mark.parametrize("preset", ["FP8_DEFAULT_CFG", "INT8_DEFAULT_CFG", "NVFP4_DEFAULT_CFG", "MXFP4_DEFAULT_CFG"])
def test_it_equals_modelopt_with_the_same_rule(
    scored_there: str, preset: str, llama_suite: Callable[..., Suite]
) -> None:
    suite = llama_suite(SIZES, f"quant_pair.format={{name: X, preset: {preset}}}", "suite.pairs=[wint8_aint8]")
    for result in run_cases(suite.select("small or large"), device="cpu", measure="cases"):
        assert result.manifest is not None, result.error
        entries = result.manifest["layer_sensitivity"]
        theirs = scored_groups(search_state(result.case))
        assert len(theirs) == 8
        for name, stats in theirs.items():
            assert entries[name]["scores"][0] == pytest.approx(stats["scores"][0], rel=1e-4), name
            place = name.split(".self_attn.")[0] + ".self_attn"
            there = ".self_attn" in name and (scored_there == ALL or not name.endswith("o_proj.quant_recipe"))
            assert entries[name].get("score_boundary") == ([place] if there else None)
        # What is not calibrated would depend on which captions run together.
        assert (result.manifest["measured"] is None) == (preset == "MXFP4_DEFAULT_CFG")


@pytest.mark.parametrize("scored_there", [ALL], indirect=True)
def test_measured_kl_does_not_depend_on_where_it_is_scored(
    scored_there: str, monkeypatch: pytest.MonkeyPatch, llama_suite: Callable[..., Suite]
) -> None:
    cases = llama_suite(SIZES, "suite.pairs=[wfp8_afp8]").select("small")
    (there,) = run_cases(cases, device="cpu", measure="all")
    rules = AutoQuantizeGradientSearcher.score_module_rules
    assert rules[-1] == scored_there
    monkeypatch.setattr(AutoQuantizeGradientSearcher, "score_module_rules", rules[:-1])
    (here,) = run_cases(cases, device="cpu", measure="all")
    assert there.manifest is not None
    assert here.manifest is not None
    for name, entry in here.manifest["layer_sensitivity"].items():
        assert there.manifest["layer_sensitivity"][name]["measured_kl"] == entry["measured_kl"]
    comparison = compare(here.manifest, there.manifest, Tolerances())
    assert comparison.verdict == "incomparable"
    assert any("at whose output ModelOpt scores" in line for line in describe(comparison))
