"""Replay against ModelOpt's own `auto_quantize`, case by case: the promise that the whole project rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.engine.modelopt_direct import scored_groups, search_state
from tests.places import SUITE

from auto_quantize_model import load_suite, run_cases

if TYPE_CHECKING:
    from collections.abc import Callable

    from auto_quantize_model import Case, CaseResult, Suite

# What medium scores, large scores too, with other maxima of inputs: where those stay as they are, the two are one.
CASES = load_suite(SUITE).select("tiny and not (afp16 and medium)")
# Fewer captions than in the real sizes; every size ends in a batch that is not full, and the largest is scored in part.
ODD_SIZES = (
    "dataset.size_to_max_samples={small: 13, medium: 30, large: 45}",
    "autoquant.score_size=32",
)
LLAMA_IDS = [case.id.replace("qwen3_vl_tiny", "llama") for case in CASES]


@pytest.fixture(scope="module")
def tiny_results(suite: Suite) -> dict[str, CaseResult]:
    return {result.case.id: result for result in run_cases(suite.select("tiny"), device="cpu")}


@pytest.fixture(scope="module")
def llama_results(llama_suite: Callable[..., Suite]) -> dict[str, CaseResult]:
    return {result.case.id: result for result in run_cases(llama_suite(*ODD_SIZES).cases, device="cpu")}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_tiny_case_equals_modelopt(case: Case, tiny_results: dict[str, CaseResult]) -> None:
    assert_equal(tiny_results[case.id])


@pytest.mark.parametrize("case_id", LLAMA_IDS)
def test_llama_case_equals_modelopt(case_id: str, llama_results: dict[str, CaseResult]) -> None:
    assert_equal(llama_results[case_id])


@pytest.mark.parametrize("pair", ["wmxfp4_afp8", "wfp8_afp8"])
@pytest.mark.parametrize("batch_size", [5, 32])
def test_other_batch_sizes_equal_modelopt(pair: str, batch_size: int, llama_suite: Callable[..., Suite]) -> None:
    suite = llama_suite(*ODD_SIZES, f"autoquant.batch_size={batch_size}")
    for result in run_cases(suite.select(pair), device="cpu"):
        assert_equal(result)


def assert_equal(result: CaseResult) -> None:
    assert result.error is None
    assert result.manifest is not None
    state = search_state(result.case)
    theirs = scored_groups(state)
    entries = result.manifest["layer_sensitivity"]
    assert list(theirs) == [name for name in entries if entries[name]["status"] == "scored"]
    for name, stats in theirs.items():
        assert entries[name]["scores"][0] == pytest.approx(stats["scores"][0], rel=1e-4), name
        assert entries[name]["costs"] == pytest.approx(stats["costs"]), name
        assert entries[name]["modules"] == stats["module_names"]
    assert entries["lm_head.quant_recipe"]["costs"] == state["candidate_stats"]["lm_head.quant_recipe"]["costs"]
