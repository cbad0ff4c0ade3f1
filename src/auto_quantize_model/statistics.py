"""How sure a score is: standard error and bootstrap intervals over captions. Deterministic."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

RESAMPLES = 1000
LEVEL = 0.95
_SEED = 20260101
_QUANTILES = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)

Interval = tuple[float, float]


@dataclasses.dataclass(frozen=True, slots=True)
class Uncertainty:
    """What the captions at hand leave open about one group."""

    stderr: float
    ci95: Interval
    rank_ci95: tuple[int, int]


def ranks(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Ranks along the last axis; 1 is the smallest score, ties go by position."""
    order = np.argsort(scores, axis=-1, kind="stable")
    result = np.empty_like(order)
    np.put_along_axis(result, order, np.broadcast_to(np.arange(1, scores.shape[-1] + 1), order.shape), axis=-1)
    return result


def uncertainties(samples: Sequence[NDArray[np.float64]]) -> list[Uncertainty] | None:
    """The uncertainty of every group's sum, from what each caption adds to it; None below two captions.

    Captions are resampled for all groups together, so that the intervals of the ranks keep the groups' correlation.
    """
    if not samples or len(samples[0]) < 2:  # noqa: PLR2004  one caption has no spread
        return None
    values = np.stack(samples)
    count = values.shape[1]
    totals = values.sum(axis=1)
    stderr = np.sqrt(count) * values.std(axis=1, ddof=1)
    draws = np.random.default_rng(_SEED).multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    resampled = draws @ values.T
    low, high = np.quantile(resampled, _QUANTILES, axis=0)
    rank_low, rank_high = np.quantile(ranks(resampled), _QUANTILES, axis=0, method="inverted_cdf")
    rank = ranks(totals)
    return [
        Uncertainty(
            stderr=float(stderr[i]),
            # The percentile interval of a skewed sum can miss the sum itself.
            ci95=(float(min(low[i], totals[i])), float(max(high[i], totals[i]))),
            rank_ci95=(int(min(rank_low[i], rank[i])), int(max(rank_high[i], rank[i]))),
        )
        for i in range(len(totals))
    ]
