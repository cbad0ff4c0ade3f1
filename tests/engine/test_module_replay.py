"""Groups that are more than a product, and formats that are: ModelOpt's own search is what they must equal."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

import modelopt.torch.quantization as mtq
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests import small_models
from tests.engine.modelopt_direct import scored_groups, search_state
from tests.engine.plain_kl import log_probabilities
from tests.places import SUITE
from transformers import DeepseekV3ForCausalLM

from auto_quantize_model import CaptureSettings, load_suite, read_quant_cfg, run_cases, solve_recipe
from auto_quantize_model.baselines.publish import publish_case
from auto_quantize_model.checkpoints.opening import open_checkpoint
from auto_quantize_model.engine.capture.batches import tokenize
from auto_quantize_model.engines import ENGINES
from auto_quantize_model.errors import CaseError, InputError
from auto_quantize_model.families import load_model
from auto_quantize_model.manifest.coverage import coverage_line
from auto_quantize_model.manifest.document import dumps
from auto_quantize_model.plan import plan_passes
from auto_quantize_model.precision.formats import resolve_format, with_backends
from auto_quantize_model.precision.fp4 import MX_FORMATS, NVFP4_BACKEND, mx, register_cpu_backends
from auto_quantize_model.precision.quantizers import modelopt_config
from auto_quantize_model.precision.quiet import modelopt_quiet
from auto_quantize_model.recipes.exports.compressed_tensors import quantization_config
from auto_quantize_model.recipes.exports.hf_quant_config import hf_quant_config
from auto_quantize_model.recipes.exports.quant_cfg import quant_cfg, quant_cfg_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auto_quantize_model import CaseResult, Suite

# Sizes that end in a batch that is not full.
SIZES = ("dataset.size_to_max_samples={small: 13, medium: 30, large: 45}", "autoquant.score_size=32")
# Static inputs in blocks of four bits; inputs that each batch scales by itself.
PAIRS = ("wfp4_afp4", "wmxfp4_afp8")
MODELS: dict[str, tuple[Callable[[Path], None], str, int]] = {
    "mixtral": (small_models.build_mixtral, "causal_lm", 2),
    "qwen3_moe": (small_models.build_qwen3_moe, "causal_lm", 2),
    "olmoe": (small_models.build_olmoe, "causal_lm", 2),
    "deepseek": (small_models.build_deepseek, "causal_lm", 1),
    "gpt2": (small_models.build_gpt2, "causal_lm", 0),
    "qwen3_vl_moe": (small_models.build_qwen3_vl_moe, "vlm", 2),
}
"""How each is built, its family, and how many routers it has, which ModelOpt never quantizes."""
PRESETS = (
    "FP8_PER_CHANNEL_PER_TOKEN_CFG",
    "INT4_AWQ_CFG",
    "INT8_SMOOTHQUANT_CFG",
    "NVFP4_AWQ_CLIP_CFG",
    "NVFP4_AWQ_FULL_CFG",
    "NVFP4_AWQ_LITE_CFG",
    "W4A8_AWQ_BETA_CFG",
    # Blocks with calibrated scales, for which this project supplies the CUDA kernel's arithmetic to both sides.
    "NVFP4_FOUR_OVER_SIX_CFG",
    "NVFP4_W4A4_WEIGHT_MSE_FP8_SWEEP_CFG",
    # And the MX formats with it.
    "MXFP6_DEFAULT_CFG",
    "MXFP8_DEFAULT_CFG",
    "MXINT8_DEFAULT_CFG",
)


@pytest.fixture
def suite_of(tmp_path: Path) -> Callable[..., Suite]:
    """The whole matrix for a model that is built for it."""

    def load(build: Callable[[Path], None], family: str = "causal_lm") -> Suite:
        build(tmp_path / "built" / "checkpoint")
        (tmp_path / "built" / "model.yaml").write_text(f"family: {family}\ndtype: float32\n", encoding="utf-8")
        return load_suite(SUITE, models_root=tmp_path, overrides=["suite.models=[built]", *SIZES])

    return load


def assert_equal(result: CaseResult, at_least: int = 1) -> None:
    assert result.error is None
    assert result.manifest is not None
    theirs = scored_groups(search_state(result.case))
    entries = result.manifest["layer_sensitivity"]
    assert list(theirs) == [name for name in entries if entries[name]["status"] == "scored"]
    assert len(theirs) >= at_least
    for name, stats in theirs.items():
        assert stats["scores"][0] > 0
        assert entries[name]["scores"][0] == pytest.approx(stats["scores"][0], rel=1e-4), name
        assert entries[name]["costs"] == pytest.approx(stats["costs"]), name
        assert entries[name]["modules"] == stats["module_names"]


@pytest.mark.parametrize("model", MODELS)
def test_experts_and_transposed_layers_equal_modelopt(model: str, suite_of: Callable[..., Suite]) -> None:
    build, family, routers = MODELS[model]
    suite = suite_of(build, family)
    for result in run_cases(suite.select(f"medium and ({' or '.join(PAIRS)})"), device="cpu"):
        assert_equal(result, at_least=4)
        assert result.manifest is not None
        entries = result.manifest["layer_sensitivity"]
        left_out = [entry for entry in entries.values() if entry["status"] == "not_covered"]
        assert len(left_out) == routers
        assert all("ModelOpt does not quantize" in entry["reason"] for entry in left_out)
        shares = sum(entry["weight_share"] for entry in left_out)
        assert result.manifest["scheme"]["coverage_fraction"] == pytest.approx(1 - shares)
        # The probes see a module's output as they see a layer's.
        assert all(entry["predicted_kl"] > 0 for entry in entries.values() if entry["status"] == "scored")


def test_formats_with_the_same_weights_equal_modelopt_one_after_another(suite_of: Callable[..., Suite]) -> None:
    suite = suite_of(small_models.build_qwen3_moe)
    pairs = ("wfp8_afp16", "wfp8_afp8", "wint8_afp8", "wint8_aint8", "wfp4_afp8", "wfp4_afp4")
    for result in run_cases(suite.select(f"small and ({' or '.join(pairs)})"), device="cpu"):
        assert_equal(result, at_least=4)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_calibration_equals_modelopts(preset: str, llama_suite: Callable[..., Suite]) -> None:
    suite = llama_suite(*SIZES, f"quant_pair.format={{name: X, preset: {preset}}}", "suite.pairs=[wint8_aint8]")
    for result in run_cases(suite.select("small or large"), device="cpu"):
        assert_equal(result, at_least=8)


def test_no_weight_is_unaccounted_for(suite_of: Callable[..., Suite]) -> None:
    suite = suite_of(small_models.build_deepseek)
    model = DeepseekV3ForCausalLM.from_pretrained(suite.cases[0].checkpoint)
    others = {id(model.get_input_embeddings().weight), id(model.lm_head.weight)}
    expected = sum(each.numel() for each in model.parameters() if each.dim() > 1 and id(each) not in others)
    for engine in ENGINES:
        (result,) = run_cases(suite.select("small and wfp8_afp8"), device="cpu", engine=engine)
        assert result.scores is not None
        rows = (*result.scores.groups, *result.scores.left_out)
        assert sum(score.group.weights for score in rows) == expected
        assert 0.9 < result.scores.coverage < 1


def test_an_unknown_module_with_weights_is_a_row_of_its_own(
    monkeypatch: pytest.MonkeyPatch, suite_of: Callable[..., Suite]
) -> None:
    from transformers.models.llama import modeling_llama

    class Mixer(torch.nn.Module):
        """Mixes what a norm gives with weights that no quantizer knows."""

        def __init__(self, norm: torch.nn.Module, size: int) -> None:
            super().__init__()
            self.norm = norm
            self.mixing = torch.nn.Parameter(torch.eye(size))

        def forward(self, states: Any) -> Any:
            return self.norm(states) @ self.mixing

    before = modeling_llama.LlamaDecoderLayer.__init__

    def planted(self: Any, config: Any, layer_idx: int) -> None:
        before(self, config, layer_idx)
        self.input_layernorm = Mixer(self.input_layernorm, config.hidden_size)

    monkeypatch.setattr(modeling_llama.LlamaDecoderLayer, "__init__", planted)
    suite = suite_of(small_models.build_llama)
    (result,) = run_cases(suite.select("small and wfp8_afp8"), device="cpu")
    assert result.error is None
    assert result.manifest is not None
    entries = result.manifest["layer_sensitivity"]
    planted_rows = {name: each for name, each in entries.items() if each["status"] == "not_covered"}
    assert list(planted_rows) == [f"model.layers.{layer}.input_layernorm.quant_recipe" for layer in range(2)]
    assert {each["reason"] for each in planted_rows.values()} == {"ModelOpt does not quantize Mixer"}
    assert result.manifest["scheme"]["coverage_fraction"] < 1


def test_a_layer_that_runs_twice_is_not_covered_and_costs_the_others_nothing(
    monkeypatch: pytest.MonkeyPatch, llama_suite: Callable[..., Suite]
) -> None:
    from transformers.models.llama import modeling_llama

    before = modeling_llama.LlamaMLP.forward

    def twice(self: Any, states: Any) -> Any:
        return before(self, states) + self.down_proj(torch.zeros_like(self.gate_proj(states)))

    monkeypatch.setattr(modeling_llama.LlamaMLP, "forward", twice)
    (result,) = run_cases(llama_suite().select("small and wfp8_afp8"), device="cpu")
    assert result.manifest is not None
    statuses = {name: each["status"] for name, each in result.manifest["layer_sensitivity"].items()}
    reasons = [each.get("reason") for each in result.manifest["layer_sensitivity"].values()]
    assert sorted(statuses.values()) == ["disabled"] + 4 * ["not_covered"] + 4 * ["scored"]
    assert "'model.layers.0.mlp.down_proj' runs more than once a pass" in reasons


def sees_half(mlp: Any, states: Any) -> Any:
    half = states.shape[1] // 2
    hidden = mlp.act_fn(mlp.gate_proj(states)) * mlp.up_proj(states)
    return torch.cat([mlp.down_proj(hidden[:, :half]), hidden[:, half:, : states.shape[-1]]], dim=1)


def sees_all_twice(mlp: Any, states: Any) -> Any:
    hidden = mlp.act_fn(mlp.gate_proj(states)) * mlp.up_proj(states)
    return mlp.down_proj(hidden.repeat(1, 2, 1))[:, : states.shape[1]]


def sees_another_input(mlp: Any, states: Any) -> Any:
    return mlp.down_proj(mlp.act_fn(mlp.gate_proj(states)) * mlp.up_proj(2 * states))


@pytest.mark.parametrize(
    ("forward", "group", "reason"),
    [
        (sees_half, "down_proj", "'model.layers.0.mlp.down_proj' does not see every token"),
        (sees_all_twice, "down_proj", "'model.layers.0.mlp.down_proj' does not see every token"),
        (
            sees_another_input,
            "gate_proj",
            "'model.layers.0.mlp.up_proj' and 'model.layers.0.mlp.gate_proj' share a precision but not an input",
        ),
    ],
)
def test_a_layer_that_sees_something_else_than_every_token_is_not_covered(
    monkeypatch: pytest.MonkeyPatch, llama_suite: Callable[..., Suite], forward: Any, group: str, reason: str
) -> None:
    from transformers.models.llama import modeling_llama

    monkeypatch.setattr(modeling_llama.LlamaMLP, "forward", forward)
    (result,) = run_cases(llama_suite().select("small and wfp8_afp8"), device="cpu")
    assert result.manifest is not None
    entries = result.manifest["layer_sensitivity"]
    uncovered = {name: each for name, each in entries.items() if each["status"] == "not_covered"}
    assert set(uncovered) == {f"model.layers.{number}.mlp.{group}.quant_recipe" for number in (0, 1)}
    assert uncovered[f"model.layers.0.mlp.{group}.quant_recipe"]["reason"].startswith(reason)
    assert all(each["importance"] is None for each in uncovered.values())


def test_measured_kl_of_experts_is_that_of_the_model_that_modelopt_quantizes(suite_of: Callable[..., Suite]) -> None:
    suite = suite_of(small_models.build_qwen3_moe)
    (result,) = run_cases(suite.select("medium and wfp4_afp4"), device="cpu", measure="cases")
    assert result.error is None
    assert result.scores is not None
    assert result.scores.measured is not None
    (plan,) = plan_passes([result.case])
    loaded = load_model(result.case.model, open_checkpoint(result.case.checkpoint), torch.device("cpu"))
    batches = tokenize(plan, loaded)
    before = log_probabilities(loaded.model, batches)
    config = modelopt_config(resolve_format(result.case.pair.format), torch.device("cpu"))
    config["quant_cfg"].append({"quantizer_name": "*lm_head*", "enable": False})
    with torch.inference_mode(), modelopt_quiet():
        mtq.quantize(loaded.model, config, lambda model: [model(**batch.inputs) for batch in batches])
        after = log_probabilities(loaded.model, batches)
    expected = float((before.exp() * (before - after)).sum(dim=1).mean())
    assert expected > 0.05
    # Other products flip single roundings.
    assert result.scores.measured.kl_per_token == pytest.approx(expected, rel=0.03)


def test_a_format_that_cannot_be_measured_loses_no_score(llama_suite: Callable[..., Suite]) -> None:
    notices: list[str] = []
    suite = llama_suite(*SIZES, "quant_pair.format={name: X, preset: NVFP4_AWQ_LITE_CFG}", "suite.pairs=[wint8_aint8]")
    (result,) = run_cases(suite.select("small"), device="cpu", measure="cases", notice=notices.append)
    assert result.manifest is not None
    assert result.manifest["measured"] is None
    assert notices == ["X: not measured: measuring knows calibration by the maximum alone"]


def test_a_partly_scored_model_is_published_by_consent_alone(suite_of: Callable[..., Suite]) -> None:
    (result,) = run_cases(suite_of(small_models.build_mixtral).select("small and wint8_afp16"), device="cpu")
    assert result.manifest is not None
    says = (
        "99.7 % of the weights were scored; 2 rows have no score, the largest 'model.layers.0.mlp.gate': "
        "ModelOpt does not quantize MixtralTopKRouter"
    )
    assert coverage_line(result.manifest) == says
    with pytest.raises(CaseError, match=re.escape(f"{says}; to publish it so, set `allow_partial: true`")):
        publish_case(result.case, result.manifest, None)
    publish_case(dataclasses.replace(result.case, allow_partial=True), result.manifest, None)


@pytest.mark.parametrize(
    ("preset", "quantized"),
    [
        ("NVFP4_MLP_ONLY_CFG", ("gate_proj", "down_proj")),
        ("NVFP4_OMLP_ONLY_CFG", ("gate_proj", "down_proj", "o_proj")),
        ("MXFP4_MLP_WEIGHT_ONLY_CFG", ("gate_proj", "down_proj")),
    ],
)
def test_a_format_that_names_modules_disables_the_others(
    preset: str, quantized: tuple[str, ...], llama_suite: Callable[..., Suite]
) -> None:
    suite = llama_suite(*SIZES, f"quant_pair.format={{name: X, preset: {preset}}}", "suite.pairs=[wint8_aint8]")
    for engine in ENGINES:
        (result,) = run_cases(suite.select("small"), device="cpu", engine=engine)
        assert result.error is None
        assert result.manifest is not None
        theirs = scored_groups(search_state(result.case))
        entries = result.manifest["layer_sensitivity"]
        scored = {name for name, entry in entries.items() if entry["status"] == "scored"}
        assert scored == {name for name in theirs if name.split(".")[-2] in quantized}
        assert {entry["status"] for name, entry in entries.items() if name not in scored} == {"disabled"}
        for name in scored:
            assert entries[name]["scores"][0] == pytest.approx(theirs[name]["scores"][0], rel=1e-4)
        assert result.manifest["autoquant_state"]["status"] == "optimal"
        assert result.manifest["scheme"]["coverage_fraction"] == 1.0


def test_scales_that_modelopt_searches_behind_quantized_experts_are_refused(suite_of: Callable[..., Suite]) -> None:
    suite = suite_of(small_models.build_mixtral)
    formats = ("quant_pair.format={name: X, preset: INT4_AWQ_CFG}", "suite.pairs=[wint8_aint8]")
    awq = load_suite(
        SUITE, models_root=suite.cases[0].models_root, overrides=["suite.models=[built]", *SIZES, *formats]
    )
    refused, scored = run_cases([*awq.select("small"), *suite.select("small and wint8_afp16")], device="cpu")
    assert refused.error is not None
    assert "ModelOpt searches for this format's scales behind quantized layers of the same group" in refused.error
    assert scored.error is None


@pytest.mark.parametrize(
    ("num_bits", "values"),
    [
        ((2, 1), [0, 0.5, 1, 1.5, 2, 3, 4, 6]),
        (
            (2, 3),
            [step / 8 for step in range(16)]
            + [step / 4 for step in range(8, 16)]
            + [step / 2 for step in range(8, 16)],
        ),
        (
            (3, 2),
            [step / 16 for step in range(8)]
            + [2.0**power * (1 + step / 4) for power in range(-1, 5) for step in range(4)],
        ),
        (8, list(range(128))),
    ],
)
@given(data=st.data())
def test_an_mx_block_holds_the_nearest_values_of_its_format(num_bits: Any, values: list[float], data: Any) -> None:
    """The kernel's own table of values, and ties to the even one, under the least power of two that saturates none."""
    numbers = st.floats(-1e6, 1e6, width=32).filter(lambda value: value == 0 or abs(value) > 1e-6)
    block = torch.tensor([data.draw(st.lists(numbers, min_size=32, max_size=32))])
    result = mx(block, MX_FORMATS[num_bits])
    largest = float(block.abs().max())
    scale = 1.0 if largest == 0 else 2.0 ** np.ceil(np.log2(np.float32(largest) / np.float32(values[-1])))
    table = np.array(values) * scale
    for exact, rounded in zip(block[0].tolist(), result[0].tolist(), strict=True):
        distances = np.abs(table - abs(exact))
        nearest = np.flatnonzero(distances == distances.min())
        chosen = nearest[0] if len(nearest) == 1 or nearest[0] % 2 == 0 else nearest[1]
        assert abs(rounded) == table[chosen]


def test_a_recipe_of_experts_quantizes_them_in_modelopt(suite_of: Callable[..., Suite], tmp_path: Path) -> None:
    """An entry that names nothing is no error to ModelOpt: the experts would stay as they are, in silence."""
    suite = suite_of(small_models.build_qwen3_moe)
    results = list(run_cases(suite.select("small and (wfp4_afp4 or wint8_afp16)"), device="cpu"))
    recipe = solve_recipe(results, budget=6.0, pins=["*experts=wfp4_afp4", "*q_proj=wint8_afp16"])
    file = tmp_path / "quant_cfg.json"
    file.write_text(quant_cfg_json(recipe), encoding="utf-8")
    register_cpu_backends()
    config = with_backends(read_quant_cfg(file), nvfp4=NVFP4_BACKEND, mx={})
    case = suite.cases[0]
    loaded = load_model(case.model, open_checkpoint(case.checkpoint), torch.device("cpu"))
    (plan,) = plan_passes(suite.select("small and wint8_afp16"))
    with torch.inference_mode(), modelopt_quiet():
        mtq.quantize(loaded.model, config, lambda model: [model(**each.inputs) for each in tokenize(plan, loaded)])
    enabled = {name for name, module in loaded.model.named_modules() if getattr(module, "is_enabled", False)}
    experts = "model.layers.1.mlp.experts"
    assert {f"{experts}.gate_up_proj_input_quantizer", f"{experts}.down_proj_weight_quantizers.7"} <= enabled
    assert f"{experts}.gate_up_proj_weight_quantizers.0" in enabled
    assert "model.layers.1.self_attn.k_proj.weight_quantizer" in enabled
    for write in (hf_quant_config, quantization_config):
        with pytest.raises(InputError, match=r"no way is known here to write '.*experts'"):
            write(recipe)
    assert "model.layers.0.mlp.gate.quant_recipe" not in recipe.choice.never_quantized
    assert all("gate" not in part.name for part in recipe.choice.parts)


def test_pairs_that_name_modules_mix_with_others_in_a_recipe(llama_suite: Callable[..., Suite]) -> None:
    named = "quant_pair.format={name: X, preset: NVFP4_MLP_ONLY_CFG}"
    (mlp,) = run_cases(llama_suite(named, "suite.pairs=[wfp4_afp4]").select("small"), device="cpu")
    (whole,) = run_cases(llama_suite("suite.pairs=[wint8_afp16]").select("small"), device="cpu")
    recipe = solve_recipe([mlp, whole], budget=6.0)
    assert len(recipe.choice.parts) == 8
    assert recipe.modules_of("wfp4_afp4")
    assert all(".mlp." in module for module in recipe.modules_of("wfp4_afp4"))
    assert {entry["quantizer_name"] for entry in quant_cfg(recipe)["quant_cfg"]} > {
        f"{module}.weight_quantizer" for module in recipe.modules_of("wfp4_afp4")
    }


def test_a_pair_that_names_layers_scores_these_alone_and_as_modelopt_does(llama_suite: Callable[..., Suite]) -> None:
    """Names that stacked weights have too: a pattern of theirs once met every layer."""
    rules = ",".join(
        f"{{quantizer_name: '*{name}*weight_quantizer', cfg: {{num_bits: 8, axis: 0}}}}"
        for name in ("gate_proj", "up_proj", "down_proj")
    )
    config = f"{{quant_cfg: [{{quantizer_name: '*', enable: false}}, {rules}], algorithm: max}}"
    suite = llama_suite(f"quant_pair.format={{name: X, config: {config}}}", "suite.pairs=[wint8_afp16]")
    (result,) = run_cases(suite.select("small"), device="cpu")
    (whole,) = run_cases(llama_suite("suite.pairs=[wint8_afp16]").select("small"), device="cpu")
    (theirs,) = run_cases(suite.select("small"), device="cpu", engine="modelopt")
    assert result.manifest is not None
    assert whole.manifest is not None
    assert theirs.manifest is not None
    scored = {
        name: entry["importance"]
        for name, entry in result.manifest["layer_sensitivity"].items()
        if entry["status"] == "scored"
    }
    assert all(".mlp." in name for name in scored)
    assert len(scored) == 4
    for name, score in scored.items():
        assert score == pytest.approx(whole.manifest["layer_sensitivity"][name]["importance"], rel=1e-4)
        assert score == pytest.approx(theirs.manifest["layer_sensitivity"][name]["importance"], rel=1e-4)
    statuses = [
        {name: entry["status"] for name, entry in each["layer_sensitivity"].items()}
        for each in (result.manifest, theirs.manifest)
    ]
    assert statuses[0] == statuses[1]


@pytest.mark.parametrize("way", ["memory", "keep", "shared"])
def test_what_modules_were_called_with_comes_back_from_disk(
    way: str, suite_of: Callable[..., Suite], llama_suite: Callable[..., Suite], tmp_path: Path
) -> None:
    folder = tmp_path / "captures"
    captures = {
        "memory": CaptureSettings(memory=0, folder=folder),
        "keep": CaptureSettings(keep=True, folder=folder),
        "shared": CaptureSettings(shared=folder),
    }[way]
    experts = suite_of(small_models.build_mixtral).select("medium and (wfp8_afp8 or wmxfp4_afp8)")
    awq = llama_suite(*SIZES, "quant_pair.format={name: X, preset: NVFP4_AWQ_LITE_CFG}", "suite.pairs=[wint8_aint8]")
    for cases in (experts, awq.select("medium")):
        expected = [dumps(result.manifest) for result in run_cases(cases, device="cpu") if result.manifest]
        assert len(expected) == len(cases)
        for _ in range(2):
            found = run_cases(cases, device="cpu", captures=captures)
            assert [dumps(result.manifest) for result in found if result.manifest] == expected


def test_a_group_that_is_not_covered_is_shared_with_other_processes(
    monkeypatch: pytest.MonkeyPatch, llama_suite: Callable[..., Suite], tmp_path: Path
) -> None:
    from transformers.models.llama import modeling_llama

    before = modeling_llama.LlamaMLP.forward
    monkeypatch.setattr(
        modeling_llama.LlamaMLP,
        "forward",
        lambda self, states: before(self, states) + self.down_proj(torch.zeros_like(self.gate_proj(states))),
    )
    cases = llama_suite().select("small and wfp8_afp8")
    (alone,) = run_cases(cases, device="cpu")
    (shared,) = run_cases(cases, device="cpu", captures=CaptureSettings(shared=tmp_path))
    assert alone.manifest is not None
    assert shared.manifest == alone.manifest
