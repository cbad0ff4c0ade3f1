"""How a score splits into weights and activations: against ModelOpt with one side switched off, and by its own sum."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from tests.engine import modelopt_direct

from auto_quantize_model import run_cases
from auto_quantize_model.precision import formats

if TYPE_CHECKING:
    from auto_quantize_model import Case, CaseResult, Suite

PAIRS = ("wfp8_afp8", "wint8_aint8", "wfp4_afp8", "wmxfp4_afp8")


@pytest.fixture(scope="module")
def results(suite: Suite) -> dict[str, CaseResult]:
    cases = suite.select("tiny and (small or medium)")
    return {result.case.id: result for result in run_cases(cases, device="cpu")}


def entries_of(result: CaseResult) -> dict[str, Any]:
    assert result.manifest is not None
    entries: dict[str, Any] = result.manifest["layer_sensitivity"]
    return {name: entry for name, entry in entries.items() if entry["status"] == "scored"}


@pytest.mark.parametrize("pair", PAIRS)
def test_either_side_alone_is_what_modelopt_scores(
    pair: str, results: dict[str, CaseResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    result = results[f"qwen3_vl_tiny-{pair}-small"]
    for side, off in (("weights", "*input_quantizer"), ("activations", "*weight_quantizer")):
        theirs = scores_without(off, result.case, monkeypatch)
        for name, entry in entries_of(result).items():
            assert entry["split"][side] == pytest.approx(theirs[name], rel=1e-4)


def scores_without(quantizer: str, case: Case, monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """ModelOpt's own scores for the case's format with one of its quantizers switched off."""
    resolved = formats.resolve_format(case.pair.format)
    config = copy.deepcopy(resolved.config)
    for entry in config["quant_cfg"]:
        if entry["quantizer_name"] == quantizer:
            entry.pop("cfg")
            entry["enable"] = False
    changed = formats.ResolvedFormat(resolved.name, config, {}, resolved.effective_bits)
    with monkeypatch.context() as patch:
        patch.setattr(modelopt_direct, "resolve_format", lambda _: changed)
        state = modelopt_direct.search_state(case)
    return {name: stats["scores"][0] for name, stats in modelopt_direct.scored_groups(state).items()}


@pytest.mark.parametrize("size", ["small", "medium"])
def test_the_weights_alone_are_the_weight_only_pair(size: str, results: dict[str, CaseResult]) -> None:
    alone = entries_of(results[f"qwen3_vl_tiny-wint8_afp16-{size}"])
    for pair in ("wint8_afp8", "wint8_aint8"):
        for name, entry in entries_of(results[f"qwen3_vl_tiny-{pair}-{size}"]).items():
            assert entry["split"]["weights"] == pytest.approx(alone[name]["importance"], rel=1e-9)


def test_the_parts_add_up_and_only_pairs_with_activations_have_them(results: dict[str, CaseResult]) -> None:
    for case_id, result in results.items():
        for entry in entries_of(result).values():
            if "_afp16" in case_id:
                assert entry["split"] is None
            else:
                assert sum(entry["split"].values()) == pytest.approx(entry["importance"], rel=1e-9)
                assert min(entry["split"]["weights"], entry["split"]["activations"]) > 0


def test_a_split_does_not_depend_on_the_other_selected_pairs(suite: Suite, results: dict[str, CaseResult]) -> None:
    case_id = "qwen3_vl_tiny-wfp8_afp8-small"
    (alone,) = run_cases(suite.select(case_id), device="cpu")
    assert entries_of(alone) == entries_of(results[case_id])
