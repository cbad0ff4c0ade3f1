"""The best recipe under a budget, all recipes along the front, and how sure the choice is."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from auto_quantize_model.errors import InputError
from auto_quantize_model.recipes.budget import gigabytes
from auto_quantize_model.reports.committed_recipes import SETTLED
from auto_quantize_model.statistics import multiple_choice
from auto_quantize_model.statistics.bootstrap import TAIL
from auto_quantize_model.statistics.total_kl import total_kl

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from auto_quantize_model.recipes.budget import Budget
    from auto_quantize_model.recipes.candidates import Candidates

    Floats = NDArray[np.float64]
    Choices = NDArray[np.int64]
    Interval = tuple[float, float]

NEGLIGIBLE = 1e-9
"""A gap that is rounding."""


@dataclasses.dataclass(frozen=True, slots=True)
class Totals:
    """What a whole recipe costs and is predicted to do."""

    effective_bits: float
    gigabytes: float
    predicted_kl: float
    ci95: Interval | None
    whole: float | None
    """The prediction with what the groups' errors add to each other, or take away: noisier than the sum."""
    whole_ci95: Interval | None


@dataclasses.dataclass(frozen=True, slots=True)
class Stability:
    """What resamples of the captions choose."""

    shares: Floats
    """Of each part, the share of the resamples for each pair."""
    gap: float
    """How far from their best 95 % of the resamples' choices may be at most, as a share of their predicted KL."""


@dataclasses.dataclass(frozen=True, slots=True)
class Solved:
    """A recipe, and what is known of it."""

    chosen: Choices
    """Of each part, the column of its pair."""
    gap: float
    """How much less predicted KL, or how many fewer bits, another recipe could have at most, as a share."""
    totals: Totals
    stability: Stability | None
    """None where there are no probe sums to resample."""


@dataclasses.dataclass(frozen=True, slots=True)
class FrontPoint:
    """A recipe that no other beats at its own cost."""

    effective_bits: float
    gigabytes: float
    predicted_kl: float
    ci95: Interval | None
    counts: dict[str, int]
    """How many parts have each pair."""


@dataclasses.dataclass(frozen=True, slots=True)
class Front:
    """From the cheapest recipe to the best."""

    points: list[FrontPoint]
    knee: int


def solve(choice: Candidates, budget: Budget) -> Solved:
    """The recipe of the least predicted KL within a budget; or of the fewest bits within a limit on that."""
    if budget.unit == "max_kl":
        found = multiple_choice.solve(choice.costs, choice.predicted, budget.value)
        if found is None:
            least = float(choice.predicted.min(axis=1).sum())
            raise InputError(
                f"{budget} cannot be kept: the least is {least:.3g} nats per token, with what is pinned; allow that"
            )
    else:
        costs, limit = _limited(choice, budget)
        found = multiple_choice.solve(choice.predicted, costs, limit)
        if found is None:
            least = budget.from_bits(choice, float(costs.min(axis=1).sum()))
            raise InputError(
                f"{budget} is below the least that these pairs can do, which is {_rounded_up(least):g}; "
                "allow that, or give pairs of fewer bits"
            )
    costs, limit = limited(choice, budget, found.chosen)
    return Solved(found.chosen, found.gap, totals_of(choice, found.chosen), stability_of(choice, costs, limit))


def limited(choice: Candidates, budget: Budget, chosen: Choices) -> tuple[Floats, float]:
    """What a recipe's groups cost, and what all may cost together, where its captions are changed."""
    if budget.unit == "max_kl":
        # A resample moves what all recipes are predicted to do; what is asked is which groups get the bits.
        return choice.costs, float(choice.costs[np.arange(len(chosen)), chosen].sum())
    return _limited(choice, budget)


def _limited(choice: Candidates, budget: Budget) -> tuple[Floats, float]:
    costs = choice.costs if budget.unit == "bits" else choice.stored_costs
    return costs, budget.in_bits(choice)


def totals_of(choice: Candidates, chosen: Choices) -> Totals:
    """What a choice comes to."""
    total = None
    if choice.added is not None and choice.signed is not None:
        rows = np.arange(len(chosen))
        total = total_kl(list(choice.added[rows, chosen]), list(choice.signed[rows, chosen]), choice.tokens)
    bits, size, predicted = _sums(choice, chosen)
    return Totals(
        effective_bits=bits,
        gigabytes=size,
        predicted_kl=predicted,
        ci95=None if total is None else total.sum_ci95,
        whole=None if total is None else total.whole,
        whole_ci95=None if total is None else total.whole_ci95,
    )


def alone(choice: Candidates) -> dict[str, Totals]:
    """What each pair comes to by itself, where groups that may not have it may stay as they are."""
    result = {}
    for column, pair in enumerate(choice.pairs[:-1]):
        chosen = np.where(np.isfinite(choice.predicted[:, column]), column, len(choice.pairs) - 1)
        totals = totals_of(choice, chosen)
        if np.isfinite(totals.predicted_kl):
            result[pair] = totals
    return result


def stability_of(choice: Candidates, costs: Floats, limit: float) -> Stability | None:
    """Choose again on every resample of the captions."""
    if choice.resampled is None:
        return None
    chosen, gaps = multiple_choice.solve_many(choice.resampled, costs, limit)
    shares = np.stack([(chosen == column).mean(axis=0) for column in range(len(choice.pairs))], axis=1)
    return Stability(shares, float(np.quantile(gaps, SETTLED)))


def front_of(choice: Candidates) -> Front:
    """Every recipe that is the best at its own bits, but for those between two neighbours that differ in one part."""
    points = [_front_point(choice, chosen) for chosen in multiple_choice.front(choice.predicted, choice.costs)]
    predicted, bits = (np.array([getattr(each, key) for each in points]) for key in ("predicted_kl", "effective_bits"))
    return Front(points, multiple_choice.knee(predicted, bits))


def _front_point(choice: Candidates, chosen: Choices) -> FrontPoint:
    resampled = choice.resampled
    totals = None if resampled is None else resampled[:, np.arange(len(chosen)), chosen].sum(axis=1)
    bits, size, predicted = _sums(choice, chosen)
    return FrontPoint(
        effective_bits=bits,
        gigabytes=size,
        predicted_kl=predicted,
        ci95=None if totals is None else _interval(totals),
        counts={pair: int((chosen == column).sum()) for column, pair in enumerate(choice.pairs)},
    )


def _sums(choice: Candidates, chosen: Choices) -> tuple[float, float, float]:
    """A choice's effective bits a weight, the gigabytes of the whole checkpoint, and its predicted KL."""
    rows = np.arange(len(chosen))
    bits, stored, predicted = (
        float(table[rows, chosen].sum()) for table in (choice.costs, choice.stored_costs, choice.predicted)
    )
    return bits / float(choice.counted.sum()), gigabytes(choice, stored), predicted


def _interval(totals: Floats) -> Interval:
    """The percentiles of resampled totals: for many recipes at once, where the one chosen has a studentized one."""
    low, high = np.quantile(totals, (TAIL, 1 - TAIL))
    return float(low), float(high)


def _rounded_up(value: float) -> float:
    """To four digits, so that what an error recommends is allowed."""
    step = 10.0 ** (np.floor(np.log10(abs(value))) - 3) if value else 1.0
    return float(np.ceil(value / step - 1e-9) * step)
