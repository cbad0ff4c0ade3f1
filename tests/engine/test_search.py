from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from auto_quantize_model.cases.settings import AutoQuantSettings
from auto_quantize_model.engine.search import search
from auto_quantize_model.scores import Group, GroupScore, Status


def scored(score: float, weights: int, name: str, status: Status = "scored") -> GroupScore:
    group = Group((name,), ("QuantLinear",), weights)
    return GroupScore(group, score, None, np.array([score]), None, status)


def settings_with(bits: float | None, method: str = "gradient") -> AutoQuantSettings:
    return AutoQuantSettings.model_validate({"name": "default", "effective_bits": bits, "method": method})


GROUPS = st.lists(st.tuples(st.floats(1e-6, 1e3), st.integers(1, 50).map(lambda n: n * 64)), min_size=1, max_size=7)


@given(GROUPS, st.sampled_from([4.0, 4.5, 8.0]))
def test_by_default_every_group_is_quantized(groups: list[tuple[float, int]], bits: float) -> None:
    scores = [scored(score, weights, f"g{i}") for i, (score, weights) in enumerate(groups)]
    found = search(scores, bits, settings_with(None))
    assert all(found.quantized)
    assert found.problem is None
    assert (found.status, found.budget_bits, found.effective_bits) == ("optimal", bits, bits)
    assert found.score == pytest.approx(sum(score for score, _ in groups))


SOLVER_SLACK = 1e-6


@settings(max_examples=25, deadline=None)
@example([(1.0, 64)], 15.999999999999998)
@example([(1.0, 128), (1.0, 192), (1.0, 192), (1e-05, 64)], 8.0)
@given(GROUPS, st.floats(4.1, 16.0))
def test_a_budget_is_kept_and_no_selection_is_better(groups: list[tuple[float, int]], budget: float) -> None:
    bits = 4.0
    scores = [scored(score, weights, f"g{i}") for i, (score, weights) in enumerate(groups)]
    found = search(scores, bits, settings_with(budget))
    assert found.status == "optimal"
    assert found.effective_bits <= budget * (1 + SOLVER_SLACK)
    full = sum(weights for _, weights in groups)
    best = within_slack = math.inf
    for chosen in itertools.product((True, False), repeat=len(groups)):
        cost = sum(w * (bits if q else 16.0) for (_, w), q in zip(groups, chosen, strict=True)) / full
        # The solver has a slack of its own: a selection a hair over the budget may count as within it.
        lost = sum(s for (s, _), q in zip(groups, chosen, strict=True) if q)
        if cost <= budget:
            best = min(best, lost)
        if cost <= budget * (1 + SOLVER_SLACK):
            within_slack = min(within_slack, lost)
    assert found.score is not None
    assert within_slack * (1 - 1e-6) - 1e-9 <= found.score <= best * (1 + 1e-6) + 1e-9


def test_scores_below_the_solvers_own_tolerance_are_told_apart() -> None:
    scores = [scored(value, 64, f"g{i}") for i, value in enumerate((3e-9, 9e-9, 1e-9, 5e-9))]
    found = search(scores, 8.0, settings_with(12.0))
    assert found.quantized == (True, False, True, False)
    assert found.score == pytest.approx(4e-9)


def test_a_budget_below_the_format_is_infeasible_not_a_crash() -> None:
    found = search([scored(1.0, 64, "a"), scored(2.0, 64, "b")], 8.0, settings_with(6.0))
    assert (found.status, found.effective_bits, found.quantized) == ("infeasible", 8.0, (True, True))
    assert found.problem == (
        "no selection has 6 effective bits: with every group quantized there are 8, the least feasible; "
        "set autoquant.effective_bits to at least 8"
    )


def test_a_search_that_finds_nothing_says_what_is_feasible(monkeypatch: pytest.MonkeyPatch) -> None:
    from modelopt.torch.quantization import algorithms

    def none_found(searcher: Any, max_size: float) -> tuple[dict[str, dict[str, Any]], bool]:
        return {name: {"format": None} for name in searcher.candidate_stats}, False

    monkeypatch.setattr(algorithms.AutoQuantizeGradientSearcher, "run_search_with_stats", none_found)
    found = search([scored(1.0, 64, "a"), scored(2.0, 64, "b")], 4.0, settings_with(4.5))
    assert found.status == "not_solved"
    assert found.problem == (
        "the search found no selection within 4.5 effective bits; 4 is the least feasible, with every group quantized: "
        "change autoquant.effective_bits"
    )


def test_scores_that_are_no_numbers_are_not_searched() -> None:
    scores = [scored(float("nan"), 64, "a", "non_finite"), scored(2.0, 64, "b")]
    found = search(scores, 4.0, settings_with(8.0))
    assert (found.status, found.score) == ("not_finite", None)
    assert found.problem is not None
    assert "not every score is finite" in found.problem


def test_the_kl_method_uses_modelopts_threshold_search() -> None:
    scores = [scored(value, 64, f"g{i}") for i, value in enumerate((1.0, 5.0, 2.0, 9.0))]
    found = search(scores, 8.0, settings_with(12.0, "kl_div"))
    assert found.status == "optimal"
    assert found.quantized == (True, False, True, False)


@pytest.mark.parametrize("bits", [None, 10.0])
def test_a_group_that_was_not_measured_stays_unquantized(bits: float | None) -> None:
    scores = [scored(1.0, 64, "a"), scored(0.0, 6400, "b", status="not_exercised"), scored(2.0, 64, "c")]
    selection = search(scores, 8.0, settings_with(bits))
    assert (selection.status, selection.problem) == ("partial", None)
    assert not selection.quantized[1]
    assert selection.quantized[0]
    assert selection.effective_bits <= (bits or 8.0)
    assert selection.score == pytest.approx(sum(s.score for s, q in zip(scores, selection.quantized, strict=True) if q))


def test_where_nothing_was_measured_there_is_no_selection() -> None:
    selection = search([scored(0.0, 64, "a", status="not_exercised")] * 2, 8.0, settings_with(None))
    assert (selection.status, selection.score, selection.quantized) == ("not_measured", None, (False, False))
    assert selection.problem == "no group was measured, so nothing was searched; the manifest's statuses say why"


@pytest.mark.parametrize("budget", [13.0, 14.5])
def test_effective_bits_are_what_the_selection_costs_not_the_budget(budget: float) -> None:
    """A quarter of the weights at 4 bits and three quarters at 16 are 13; quantizing the other group would be worse."""
    found = search([scored(1.0, 64, "a"), scored(9.0, 192, "b")], 4.0, settings_with(budget))
    assert found.quantized == (True, False)
    assert (found.budget_bits, found.effective_bits, found.score) == (budget, 13.0, 1.0)
