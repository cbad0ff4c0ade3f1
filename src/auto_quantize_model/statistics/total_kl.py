"""The predicted KL divergence of quantizing several groups at once."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from auto_quantize_model.statistics.bootstrap import estimate
from auto_quantize_model.statistics.predicted_kl import caption_kl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Interval = tuple[float, float]


@dataclasses.dataclass(frozen=True, slots=True)
class TotalKl:
    """Two predictions for the same groups, in nats per token."""

    sum: float
    """As if each group were alone."""
    sum_ci95: Interval | None
    """None below two captions, which have no spread."""
    whole: float
    """With what the groups' errors add to each other, or take away: noisier than the sum."""
    whole_ci95: Interval | None


def total_kl(alone: Sequence[Floats], signed: Sequence[Floats], tokens: NDArray[np.int64]) -> TotalKl:
    """Add up what each group is predicted to cost `alone`, in nats a caption, and what every probe saw of it.

    `tokens` are each caption's loss tokens.
    """
    nothing = np.zeros(len(tokens))
    sums = np.stack([np.sum(alone, axis=0), caption_kl(np.sum(signed, axis=0))]) if alone else np.stack([nothing] * 2)
    added = sums / int(tokens.sum())
    intervals: list[Interval | None] = [None, None]
    if len(tokens) > 1:
        found = estimate(added, tokens.astype(np.float64))
        intervals = [(float(low), float(high)) for low, high in zip(found.low, found.high, strict=True)]
    of_sum, of_whole = map(float, added.sum(axis=1))
    return TotalKl(of_sum, intervals[0], of_whole, intervals[1])
