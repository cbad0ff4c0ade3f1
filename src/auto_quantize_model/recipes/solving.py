"""The best recipe under a budget, all recipes along the front, and how sure the choice is."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from auto_quantize_model.errors import InputError
from auto_quantize_model.recipes.budget import gigabytes
from auto_quantize_model.statistics import multiple_choice
from auto_quantize_model.statistics.bootstrap import TAIL, draws
from auto_quantize_model.statistics.total_kl import caption_kl, total_kl

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from auto_quantize_model.recipes.budget import Budget
    from auto_quantize_model.recipes.candidates import Candidates

    Floats = NDArray[np.float64]
    Choices = NDArray[np.int64]
    Interval = tuple[float, float]

NEGLIGIBLE = 1e-9
"""A gap that is rounding."""
SETTLED = 0.95
"""A part is settled where at least this share of the resamples chooses the same for it."""


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
            least = _best(choice)
            raise InputError(
                f"{budget} cannot be kept: the least is {least:.3g} nats per token, with what is pinned; allow that"
            )
    else:
        costs = _costs_of(choice, budget)
        found = multiple_choice.solve(choice.predicted, costs, budget.in_bits(choice))
        if found is None:
            least = budget.from_bits(choice, float(costs.min(axis=1).sum()))
            raise InputError(
                f"{budget} is below the least that these pairs can do, which is {_rounded_up(least):g}; "
                "allow that, or give pairs of fewer bits"
            )
    return Solved(found.chosen, found.gap, totals_of(choice, found.chosen), stability_of(choice, budget))


def totals_of(choice: Candidates, chosen: Choices) -> Totals:
    """What a choice comes to."""
    rows = np.arange(len(choice.parts))
    total = None
    if choice.signed is not None:
        total = total_kl(list(choice.signed[rows, chosen]), choice.tokens)
    return Totals(
        effective_bits=float(choice.costs[rows, chosen].sum() / choice.weights.sum()),
        gigabytes=gigabytes(choice, float(choice.stored_costs[rows, chosen].sum())),
        predicted_kl=float(choice.predicted[rows, chosen].sum()),
        ci95=None if total is None else total.sum_ci95,
        whole=None if total is None else total.whole,
        whole_ci95=None if total is None else total.whole_ci95,
    )


def stability_of(choice: Candidates, budget: Budget) -> Stability | None:
    """Choose again on every resample of the captions."""
    resampled = _resampled(choice)
    if resampled is None:
        return None
    if budget.unit == "max_kl":
        # A resample moves what all recipes are predicted to do; what is asked is which groups get the bits.
        found = multiple_choice.solve(choice.costs, choice.predicted, budget.value)
        costs, limit = choice.costs, choice.weights.sum() * 16.0 if found is None else found.value
    else:
        costs, limit = _costs_of(choice, budget), budget.in_bits(choice)
    chosen, gaps = multiple_choice.solve_many(resampled, costs, limit)
    shares = np.stack([(chosen == column).mean(axis=0) for column in range(len(choice.pairs))], axis=1)
    return Stability(shares, float(np.quantile(gaps, SETTLED)))


def front_of(choice: Candidates) -> Front:
    """Every recipe that is the best at its own bits, but for those between two neighbours that differ in one part."""
    choices = multiple_choice.front(choice.predicted, choice.costs)
    rows = np.arange(len(choice.parts))
    resampled = _resampled(choice)
    points = []
    for chosen in choices:
        predicted = float(choice.predicted[rows, chosen].sum())
        points.append(
            FrontPoint(
                effective_bits=float(choice.costs[rows, chosen].sum() / choice.weights.sum()),
                gigabytes=gigabytes(choice, float(choice.stored_costs[rows, chosen].sum())),
                predicted_kl=predicted,
                ci95=None if resampled is None else _interval(resampled[:, rows, chosen].sum(axis=1)),
                counts={pair: int((chosen == column).sum()) for column, pair in enumerate(choice.pairs)},
            )
        )
    bits = np.array([each.effective_bits for each in points])
    return Front(points, multiple_choice.knee(np.array([each.predicted_kl for each in points]), bits))


def _interval(totals: Floats) -> Interval:
    """The percentiles of resampled totals: for many recipes at once, where the one chosen has a studentized one."""
    low, high = np.quantile(totals, (TAIL, 1 - TAIL))
    return float(low), float(high)


def _resampled(choice: Candidates) -> Floats | None:
    """Predicted KL from each resample of the captions: resample, part, pair."""
    signed = choice.signed
    if signed is None or signed.shape[-1] < 2:  # noqa: PLR2004  one caption has no spread
        return None
    tokens = choice.tokens.astype(np.float64)
    weights = draws(len(tokens)) * len(tokens)
    # What each caption adds, in nats: part, pair, caption.
    added = np.stack([[caption_kl(each, 1) for each in of_part] for of_part in signed])
    means = (added.reshape(-1, len(tokens)) @ weights.T / (weights @ tokens)).T
    result = means.reshape(len(weights), *choice.predicted.shape)
    return np.where(np.isfinite(choice.predicted), result, np.inf)


def _costs_of(choice: Candidates, budget: Budget) -> Floats:
    return choice.costs if budget.unit == "bits" else choice.stored_costs


def _best(choice: Candidates) -> float:
    return float(choice.predicted.min(axis=1).sum())


def _rounded_up(value: float) -> float:
    """To four digits, so that what an error recommends is allowed."""
    step = 10.0 ** (np.floor(np.log10(abs(value))) - 3) if value else 1.0
    return float(np.ceil(value / step - 1e-9) * step)
