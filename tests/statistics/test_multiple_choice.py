"""Choosing within a budget, against trying everything."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.optimize import linprog

from auto_quantize_model.statistics.multiple_choice import front, knee, solve, solve_many

SHAPE = (4, 3)
VALUES = arrays.arrays(np.float64, SHAPE, elements=st.floats(0, 1, width=32))
COSTS = arrays.arrays(np.float64, SHAPE, elements=st.integers(1, 12).map(float))
ROWS = np.arange(SHAPE[0])


def best_of_all(values: np.ndarray, costs: np.ndarray, budget: float) -> float | None:
    items, choices = values.shape
    rows = np.arange(items)
    totals = [
        (costs[rows, list(chosen)].sum(), values[rows, list(chosen)].sum())
        for chosen in itertools.product(range(choices), repeat=items)
    ]
    return min((value for cost, value in totals if cost <= budget), default=None)


@settings(max_examples=150, deadline=None)
@given(VALUES, COSTS, st.integers(3, 50))
def test_nothing_is_better_than_what_it_finds(values: np.ndarray, costs: np.ndarray, budget: int) -> None:
    best, found = best_of_all(values, costs, budget), solve(values, costs, budget)
    if best is None:
        assert found is None
        return
    assert found is not None
    assert found.cost <= budget
    assert found.value == pytest.approx(best, abs=1e-9)
    assert found.bound <= best + 1e-9


@settings(max_examples=100, deadline=None)
@given(VALUES, COSTS)
def test_every_point_of_the_front_is_the_best_at_its_cost(values: np.ndarray, costs: np.ndarray) -> None:
    points = front(values, costs)
    totals = [costs[ROWS, each].sum() for each in points]
    assert totals == sorted(totals)
    for chosen, cost in zip(points, totals, strict=True):
        assert values[ROWS, chosen].sum() == pytest.approx(best_of_all(values, costs, cost), abs=1e-9)
    assert values[ROWS, points[-1]].sum() == pytest.approx(values.min(axis=1).sum())


def test_of_many_choices_those_below_the_line_between_others_are_on_the_front() -> None:
    """The third is above the line from the second to the fourth, and the fifth costs more for nothing."""
    values = np.array([[10.0, 5.0, 4.9, 2.0, 2.0, 1.9]])
    costs = np.array([[1.0, 2.0, 3.0, 4.0, 4.5, 9.0]])
    assert [each.tolist() for each in front(values, costs)] == [[0], [1], [3], [5]]
    # All above the line between the ends.
    values = np.array([[10.0, 9.9, 9.8, 9.7, 0.0]])
    assert [each.tolist() for each in front(values, costs[:, :5])] == [[0], [4]]


@settings(max_examples=60, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=4), COSTS, st.integers(20, 50))
def test_many_keep_the_budget_and_their_stated_distance(
    tables: list[np.ndarray], costs: np.ndarray, budget: int
) -> None:
    if costs.min(axis=1).sum() > budget:
        return
    chosen, gaps = solve_many(np.array(tables), costs, budget)
    for values, its, gap in zip(tables, chosen, gaps, strict=True):
        best = best_of_all(values, costs, budget)
        assert best is not None
        assert costs[ROWS, its].sum() <= budget
        assert values[ROWS, its].sum() * (1 - gap) <= best + 1e-6


def test_a_choice_that_an_item_has_not_got_is_never_taken() -> None:
    values = np.array([[0.0, 1.0], [0.0, 1.0]])
    costs = np.array([[np.inf, 4.0], [1.0, 2.0]])
    found = solve(np.where(np.isfinite(costs), values, np.inf), costs, 5)
    assert found is not None
    assert found.chosen.tolist() == [1, 0]
    assert [each.tolist() for each in front(np.where(np.isfinite(costs), values, np.inf), costs)] == [[1, 0]]


def test_values_may_be_as_small_as_they_like() -> None:
    random = np.random.default_rng(0)
    values, costs = random.exponential(size=(40, 4)), random.integers(1, 99, size=(40, 4)).astype(float)
    budget = costs.min(axis=1).sum() * 1.5
    plain, small = solve(values, costs, budget), solve(values * 1e-12, costs, budget)
    assert plain is not None
    assert small is not None
    assert plain.chosen.tolist() == small.chosen.tolist()
    assert plain.gap == pytest.approx(0, abs=1e-9)


@settings(max_examples=80, deadline=None)
@given(VALUES, COSTS, st.integers(3, 50))
def test_a_table_and_highs_decide_alike(values: np.ndarray, costs: np.ndarray, budget: int) -> None:
    """Costs that are no whole multiples of anything go to HiGHS."""
    by_table, by_highs = (solve(values, costs * unit, budget * unit) for unit in (1.0, np.pi))
    assert (by_table is None) == (by_highs is None)
    if by_table is not None and by_highs is not None:
        assert by_table.value == pytest.approx(by_highs.value, abs=1e-9)
        assert by_table.gap == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("unit", [1.0, np.pi])
@pytest.mark.parametrize("seed", [1, 7, 16, 17])
def test_both_find_what_filling_up_the_budget_misses(seed: int, unit: float) -> None:
    random = np.random.default_rng(seed)
    values, costs = random.exponential(size=(7, 3)), random.integers(1, 40, size=(7, 3)).astype(float)
    budget = int(costs.min(axis=1).sum() * 1.4)
    best = best_of_all(values, costs, budget)
    assert best is not None
    (filled,), (gap,) = solve_many(values[None], costs, budget)
    assert values[np.arange(7), filled].sum() > best * 1.001
    assert gap > 0
    found = solve(values, costs * unit, budget * unit)
    assert found is not None
    assert found.value == pytest.approx(best, rel=1e-12)
    assert found.bound == pytest.approx(best, rel=1e-9)
    assert found.cost == pytest.approx((costs * unit)[np.arange(7), found.chosen].sum())


@pytest.mark.parametrize("seed", range(5))
def test_the_stated_distance_of_many_is_that_to_what_halves_of_choices_would_give(seed: int) -> None:
    """The bound is the optimum of the linear relaxation, which scipy knows."""
    random = np.random.default_rng(seed)
    values, costs = random.exponential(size=(3, 6, 4)), random.integers(1, 40, size=(6, 4)).astype(float)
    budget = costs.min(axis=1).sum() * 1.3
    one_each = np.kron(np.eye(6), np.ones(4))
    chosen, gaps = solve_many(values, costs, budget)
    for its, table, gap in zip(chosen, values, gaps, strict=True):
        relaxed = linprog(table.ravel(), costs.ravel()[None], [budget], one_each, np.ones(6), bounds=(0, 1))
        found = table[np.arange(6), its].sum()
        assert gap == pytest.approx((found - relaxed.fun) / found, abs=1e-7)


def test_a_table_that_would_be_large_goes_to_highs_too() -> None:
    random = np.random.default_rng(1)
    values, costs = random.exponential(size=(40, 3)), random.integers(1, 99, size=(40, 3)).astype(float)
    budget = costs.min(axis=1).sum() * 1.5
    small = solve(values, costs, budget)
    # A unit of a 64th beside costs of millions.
    large = solve(values, costs * 2**20 + 1 / 64, budget * 2**20 + 40 / 64)
    assert small is not None
    assert large is not None
    assert large.value == pytest.approx(small.value, rel=1e-9)


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    """HiGHS 1.12 writes a line of its own past Python for some tables, this one among them."""
    random = np.random.default_rng(0)
    weights = random.choice([3, 1, 8, 4], size=144) * 1e6
    bits = np.array([4.5, 4.25, 4.5, 8, 8, 8, 8, 4.25, 4.5, 16])
    damage = np.array([1, 1.1, 1.3, 0.1, 0.11, 0.02, 0.03, 2, 0.9, 0])
    sensitivity = np.exp(random.normal(size=(144, 1)) * 1.5) * 1e-3
    values = sensitivity * damage * np.exp(random.normal(size=(144, 10)) * 0.3)
    values[:, -1] = 0
    weights *= np.pi  # whole multiples would not need HiGHS
    assert solve(values, weights[:, None] * bits, 6.03 * weights.sum()) is not None
    assert capfd.readouterr().out == ""


FRONT = st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=2, max_size=8)


@given(FRONT, st.integers(-9, 9), st.integers(-9, 9))
def test_the_knee_is_farthest_below_the_line_between_the_ends(
    steps: list[tuple[int, int]], least_cost: int, least_value: int
) -> None:
    costs = least_cost + np.cumsum([0, *(step for step, _ in steps)]).astype(float)
    values = least_value + np.cumsum([0, *(step for _, step in steps)])[::-1].astype(float)
    along, across = costs[-1] - costs[0], values[-1] - values[0]
    below = (costs - costs[0]) * across - (values - values[0]) * along
    found = knee(values, costs)
    assert below[found] == pytest.approx(max(below))


@pytest.mark.parametrize(
    ("values", "costs"),
    [([1.0, 0.0], [0.0, 1.0]), ([3.0, 2.0, 1.0], [5.0, 5.0, 5.0]), ([2.0, 2.0, 2.0], [1.0, 2.0, 3.0])],
)
def test_ends_alone_and_what_is_flat_have_no_knee(values: list[float], costs: list[float]) -> None:
    assert knee(np.array(values), np.array(costs)) == 0
