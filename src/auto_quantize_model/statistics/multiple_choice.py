"""One choice an item, the least value within a budget of costs: exactly, at every budget, and for many values at once.

With a price on cost, every item chooses for itself, and what all choose together bounds from below what any choice
within the budget is worth. The price at which the budget is just met leaves few choices open; `open_choices` decides
those.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Final

import numpy as np

from auto_quantize_model.statistics.open_choices import decide

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Choices = NDArray[np.int64]

_HALVINGS: Final = 100
_MOST_PRICES: Final = 100
_ROUNDING: Final = 1e-13
_SLACK: Final = 1e-12
"""The share of a budget by which rounding may exceed it."""
_MOST_FILLS: Final = 64


@dataclasses.dataclass(frozen=True, slots=True)
class Solution:
    """What each item chooses."""

    chosen: Choices
    value: float
    cost: float
    bound: float
    """No choice within the budget has a lower value than this."""

    @property
    def gap(self) -> float:
        """How much better another choice could be at most, as a share of the value."""
        return 0.0 if self.value <= self.bound else (self.value - self.bound) / self.value


@dataclasses.dataclass(frozen=True, slots=True)
class Priced:
    """What the items choose at the price at which they just keep to the budget."""

    price: float
    chosen: Choices
    bound: float


def solve(values: Floats, costs: Floats, budget: float) -> Solution | None:
    """The choice of the least value within a budget; None where the cheapest exceeds it.

    Both are a row an item and a column a choice, and infinite where an item has not got the choice.
    """
    allowed = _with_slack(budget)
    cheapest = _by_value_then_cost(costs, values)
    if _total(costs, cheapest) > allowed:
        return None
    best = _by_value_then_cost(values, costs)
    if _total(costs, best) <= allowed:
        return _solution(values, costs, best, _total(values, best))
    priced = _priced(values, costs, allowed)
    filled = _fill(values, costs, priced.chosen, allowed)
    incumbent = _solution(values, costs, filled, min(priced.bound, _total(values, filled)))
    return _settle(values, costs, allowed, priced, incumbent)


def solve_many(values: Floats, costs: Floats, budget: float) -> tuple[Choices, Floats]:
    """Near the best choices for many tables of values, and how far each may be from the best, as a share of its value.

    `values` has one table after the other; `costs` are those of all. The budget can be met.
    """
    allowed = _with_slack(budget)
    # Once, not at every price: what an item has not got is worth nothing, whatever it costs.
    values, finite = np.where(np.isfinite(costs), values, np.inf), np.where(np.isfinite(costs), costs, 0.0)
    prices, chosen = _priced_many(values, finite, allowed)
    bounds = _totals_of(values, chosen) + prices * (_totals(costs, chosen) - allowed)
    filled = _fill_many(values, costs, chosen, allowed)
    found = _totals_of(values, filled)
    with np.errstate(invalid="ignore", divide="ignore"):
        gaps = np.where(found > 0, np.maximum(found - bounds, 0.0) / found, 0.0)
    return filled, gaps


def front(values: Floats, costs: Floats) -> list[Choices]:
    """Choices from the cheapest to the best, each of the least value within its own cost.

    Between two neighbours there may be others, worth at most what one item's step is worth.
    """
    chosen = _by_value_then_cost(costs, values)
    steps = sorted(step for item in range(len(values)) for step in _steps(values[item], costs[item], item))
    result = [chosen]
    for _, item, _, to in steps:
        chosen = chosen.copy()
        chosen[item] = to
        result.append(chosen)
    return result


def knee(values: Floats, costs: Floats) -> int:
    """Where on a front what one more cost buys stops to matter: farthest below the line between its ends."""
    if len(costs) < 3 or costs[-1] == costs[0] or values[0] == values[-1]:  # noqa: PLR2004  ends alone have no knee
        return 0
    along = (costs - costs[0]) / (costs[-1] - costs[0])
    down = (values - values[-1]) / (values[0] - values[-1])
    return int(np.argmin(along + down))


def _steps(values: Floats, costs: Floats, item: int) -> list[tuple[float, int, int, int]]:
    """One item's way along its lower hull, from its cheapest choice: negative worth of a cost, item, step, choice."""
    order = [int(each) for each in np.lexsort((values, costs)) if np.isfinite(costs[each])]
    hull: list[int] = []
    for each in order:
        if hull and values[each] >= values[hull[-1]]:
            continue
        while len(hull) > 1 and _worth(values, costs, hull[-2], hull[-1]) <= _worth(values, costs, hull[-2], each):
            hull.pop()
        hull.append(each)
    pairs = itertools.pairwise(hull)
    return [(-_worth(values, costs, one, other), item, step, other) for step, (one, other) in enumerate(pairs)]


def _worth(values: Floats, costs: Floats, one: int, other: int) -> float:
    """How much value a unit of cost saves between two choices."""
    return float((values[one] - values[other]) / (costs[other] - costs[one]))


def _settle(values: Floats, costs: Floats, allowed: float, priced: Priced, incumbent: Solution) -> Solution:
    """Decide what the price leaves open: choices that could be part of something better than what is at hand."""
    reduced = _at(values, costs, priced.price)
    reduced = reduced - reduced.min(axis=1, keepdims=True)
    room = max(incumbent.value - priced.bound, 0.0)
    is_open = reduced <= room * (1 + 1e-9) + 1e-15 * incumbent.value
    items = np.flatnonzero(is_open.sum(axis=1) > 1)
    if not len(items) or incumbent.value == 0:
        return dataclasses.replace(incumbent, bound=incumbent.value)
    fixed = np.setdiff1d(np.arange(len(values)), items)
    alone = is_open.argmax(axis=1)
    left = allowed - costs[fixed, alone[fixed]].sum()
    decided = decide(values[items], costs[items], is_open[items], left, incumbent.value)
    chosen = alone.copy()
    if decided is None:
        return incumbent
    chosen[items], open_bound = decided
    bound = min(values[fixed, alone[fixed]].sum() + open_bound, incumbent.value)
    found = _solution(values, costs, chosen, bound)
    better = found.cost <= allowed and found.value <= incumbent.value
    return found if better else dataclasses.replace(incumbent, bound=bound)


def _priced(values: Floats, costs: Floats, allowed: float) -> Priced:
    """Halve the range of prices: at the upper end the budget is met, at the lower it is not."""
    low, high = 0.0, float(_highest_prices(values[None], costs)[0])
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        if _total(costs, _at(values, costs, middle).argmin(axis=1)) <= allowed:
            high = middle
        else:
            low = middle
    priced = _at(values, costs, high)
    return Priced(high, priced.argmin(axis=1), float(priced.min(axis=1).sum() - high * allowed))


def _highest_prices(values: Floats, costs: Floats) -> Floats:
    """Prices at which every item takes its cheapest choice."""
    finite = np.where(np.isfinite(values), values, 0.0)
    spread = finite.max(axis=(1, 2)) + np.finfo(np.float64).tiny
    different = np.diff(np.unique(costs[np.isfinite(costs)]))
    highest: Floats = 2 * spread / (different.min() if len(different) else 1.0)
    return highest


def _at(values: Floats, costs: Floats, price: float) -> Floats:
    result: Floats = np.where(np.isfinite(costs), values + price * np.where(np.isfinite(costs), costs, 0.0), np.inf)
    return result


def _priced_many(values: Floats, finite_costs: Floats, allowed: float) -> tuple[Floats, Choices]:
    """The price of each table, and its choices just within the budget.

    A choice beyond the budget and one within it are worth the same at one price. Where nothing is better at that price,
    it is the one; else what is better takes the place of one of the two.
    """
    prices = np.zeros(len(values))
    columns = np.ascontiguousarray(np.moveaxis(values, 2, 0))
    chosen = _at_prices(columns, finite_costs, prices)
    tables = np.flatnonzero(_totals(finite_costs, chosen) > allowed)
    beyond = _worths(values, finite_costs, tables, chosen[tables])
    columns = columns[:, tables]
    chosen[tables] = _at_prices(columns, finite_costs, _highest_prices(values[tables], finite_costs))
    within = _worths(values, finite_costs, tables, chosen[tables])
    for _ in range(_MOST_PRICES):
        if not len(tables):
            break
        price = prices[tables] = (within[0] - beyond[0]) / (beyond[1] - within[1])
        found = _at_prices(columns, finite_costs, price)
        new = _worths(values, finite_costs, tables, found)
        at_hand = within[0] + price * within[1]
        is_better = new[0] + price * new[1] < at_hand - _ROUNDING * np.abs(at_hand)
        is_within = new[1] <= allowed
        chosen[tables[is_better & is_within]] = found[is_better & is_within]
        within, beyond = np.where(is_within, new, within)[:, is_better], np.where(is_within, beyond, new)[:, is_better]
        tables, columns = tables[is_better], columns if is_better.all() else columns[:, is_better]
    return prices, chosen


def _worths(values: Floats, costs: Floats, tables: NDArray[np.int64], chosen: Choices) -> Floats:
    """What the choices of some tables are worth, and what they cost."""
    items = np.arange(values.shape[1])
    return np.stack([values[tables[:, None], items, chosen].sum(axis=1), costs[items, chosen].sum(axis=1)])


def _at_prices(columns: Floats, finite_costs: Floats, prices: Floats) -> Choices:
    """What each table's items choose; a choice after the other, as `argmin` is slow over a few of them."""
    least = columns[0] + prices[:, None] * finite_costs[:, 0]
    chosen = np.zeros(least.shape, dtype=np.int64)
    for number, column in enumerate(columns[1:], start=1):
        priced = column + prices[:, None] * finite_costs[:, number]
        np.copyto(chosen, number, where=priced < least)
        np.minimum(least, priced, out=least)
    return chosen


def _fill(values: Floats, costs: Floats, chosen: Choices, allowed: float) -> Choices:
    filled: Choices = _fill_many(values[None], costs, chosen[None], allowed)[0]
    return filled


def _fill_many(values: Floats, costs: Floats, chosen: Choices, allowed: float) -> Choices:
    """Spend what is left of a budget: the step of most value that fits, again and again."""
    chosen = chosen.copy()
    tables, items = np.arange(len(values)), np.arange(len(costs))
    for _ in range(_MOST_FILLS):
        now_values = values[tables[:, None], items, chosen]
        now_costs = costs[items, chosen]
        left = allowed - now_costs.sum(axis=1)
        fits = costs - now_costs[:, :, None] <= left[:, None, None]
        gains = np.where(fits, now_values[:, :, None] - np.where(fits, values, 0.0), 0.0).reshape(len(values), -1)
        best = gains.argmax(axis=1)
        worth = gains[tables, best] > 0
        if not worth.any():
            break
        item, choice = np.divmod(best, costs.shape[1])
        chosen[tables[worth], item[worth]] = choice[worth]
    return chosen


def _by_value_then_cost(first: Floats, second: Floats) -> Choices:
    """Each item's least by one table; of several, the least by the other."""
    tied = first == first.min(axis=1, keepdims=True)
    chosen: Choices = np.where(tied, second, np.inf).argmin(axis=1)
    return chosen


def _total(table: Floats, chosen: Choices) -> float:
    return float(table[np.arange(len(table)), chosen].sum())


def _totals(table: Floats, chosen: Choices) -> Floats:
    """Of one table, by many choices."""
    totals: Floats = table[np.arange(len(table)), chosen].sum(axis=1)
    return totals


def _totals_of(tables: Floats, chosen: Choices) -> Floats:
    """Of many tables, each by its own choice."""
    count, items = tables.shape[:2]
    totals: Floats = tables[np.arange(count)[:, None], np.arange(items), chosen].sum(axis=1)
    return totals


def _solution(values: Floats, costs: Floats, chosen: Choices, bound: float) -> Solution:
    return Solution(chosen, _total(values, chosen), _total(costs, chosen), bound)


def _with_slack(budget: float) -> float:
    return budget + abs(budget) * _SLACK
