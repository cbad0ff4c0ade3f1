"""What the captions leave open about each group: its score, its predicted KL, its rank and its tie band."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

import numpy as np

from auto_quantize_model.statistics.bootstrap import TAIL, estimate, resampled_means, shaken, sums, wider

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Interval = tuple[float, float]

_ROUNDING: Final = 1e-12
"""Relative differences below this are the work of rounding, and settle no order."""


@dataclasses.dataclass(frozen=True, slots=True)
class Uncertainty:
    """What the captions at hand leave open about one group."""

    stderr: float
    ci95: Interval
    rank_ci95: tuple[int, int]
    tie_band: int


@dataclasses.dataclass(frozen=True, slots=True)
class KlUncertainty:
    """What the captions at hand leave open about one group's predicted KL."""

    stderr: float
    ci95: Interval


def ranks(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Ranks along the last axis; 1 is the smallest score, ties go by position."""
    order = np.argsort(scores, axis=-1, kind="stable")
    result = np.empty_like(order)
    np.put_along_axis(result, order, np.broadcast_to(np.arange(1, scores.shape[-1] + 1), order.shape), axis=-1)
    return result


def uncertainties(
    samples: Sequence[NDArray[np.float64]], log_spreads: Sequence[float] | None = None
) -> list[Uncertainty] | None:
    """The uncertainty of every group's sum, from what each caption adds to it; None below two captions.

    Captions are resampled for all groups together, so that ranks and bands keep the groups' correlation. `log_spreads`
    say how far each sum may be off beside that, as a standard deviation of its logarithm.
    """
    if not samples or len(samples[0]) < 2:  # noqa: PLR2004  one caption has no spread
        return None
    values = np.stack(samples)
    totals = sums(values)
    bootstrap, resampled = estimate(values), resampled_means(values)
    if log_spreads is not None and any(log_spreads):
        spreads = np.array(log_spreads)
        bootstrap, resampled = wider(bootstrap, totals, spreads), shaken(resampled, spreads)
    rank = ranks(totals)
    low, high = np.quantile(ranks(resampled), (TAIL, 1 - TAIL), axis=0, method="inverted_cdf")
    band = tie_bands(totals, resampled)
    return [
        Uncertainty(
            stderr=float(bootstrap.stderr[i]),
            ci95=(float(bootstrap.low[i]), float(bootstrap.high[i])),
            rank_ci95=(int(min(low[i], rank[i])), int(max(high[i], rank[i]))),
            tie_band=int(band[i]),
        )
        for i in range(len(totals))
    ]


def kl_uncertainties(
    samples: Sequence[NDArray[np.float64]], tokens: NDArray[np.int64], log_spreads: Sequence[float]
) -> list[KlUncertainty] | None:
    """The uncertainty of every group's predicted KL per token, from each caption's share and its loss tokens.

    `log_spreads` say how far each may be off beside that, as a standard deviation of its logarithm.
    """
    if not samples or len(samples[0]) < 2:  # noqa: PLR2004  one caption has no spread
        return None
    values = np.stack(samples)
    bootstrap = wider(estimate(values, tokens.astype(np.float64)), sums(values), np.array(log_spreads))
    return [
        KlUncertainty(float(stderr), (float(low), float(high)))
        for stderr, low, high in zip(bootstrap.stderr, bootstrap.low, bootstrap.high, strict=True)
    ]


def tie_bands(totals: NDArray[np.float64], resampled: NDArray[np.float64]) -> NDArray[np.int64]:
    """Each group's tie band; 1 is the least sensitive.

    The order of two groups is settled when at most 2.5 % of the joint resamples reverse their paired difference or
    bring it to zero. Two groups whose order is not settled share a band with each other and with all that rank between
    them, so that between two bands every order is settled, but within one the ends may be as well.
    """
    order = np.argsort(totals, kind="stable")
    ordered = resampled[:, order]
    reach = np.maximum.accumulate([_last_unsettled(ordered, position) for position in range(len(order))])
    starts = np.concatenate([[True], reach[:-1] < np.arange(1, len(order))])
    result = np.empty(len(order), dtype=np.int64)
    result[order] = np.cumsum(starts)
    return result


def _last_unsettled(ordered: NDArray[np.float64], position: int) -> int:
    """The last of the groups, the least sensitive first, that this one is not settled to be below; or itself."""
    above = ordered[:, position + 1 :] * (1 - _ROUNDING)
    reversed_in = np.count_nonzero(ordered[:, position, None] >= above, axis=0)
    unsettled = np.flatnonzero(reversed_in > TAIL * len(ordered))
    return position + 1 + int(unsettled[-1]) if len(unsettled) else position
