"""The predicted KL divergence of quantizing several groups at once."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from auto_quantize_model.statistics.bootstrap import estimate

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


def total_kl(signed: Sequence[Floats], tokens: NDArray[np.int64]) -> TotalKl:
    """Predict from what every probe saw of each group, caption by caption; `tokens` are each caption's loss tokens."""
    probes = len(signed[0]) if signed else 1
    nothing = np.zeros((probes, len(tokens)))
    alone = np.sum([_by_caption(each, tokens) for each in signed] or [np.zeros(len(tokens))], axis=0)
    together = _by_caption(np.sum(signed, axis=0) if signed else nothing, tokens)
    intervals: list[Interval | None] = [None, None]
    if len(tokens) > 1:
        found = estimate(np.stack([alone, together]), tokens.astype(np.float64))
        intervals = [(float(low), float(high)) for low, high in zip(found.low, found.high, strict=True)]
    return TotalKl(float(alone.sum()), intervals[0], float(together.sum()), intervals[1])


def caption_kl(signed: Floats, tokens: int) -> Floats:
    """What each caption adds to a predicted KL per token: half the mean over probes of what they saw, squared."""
    result: Floats = 0.5 * np.square(signed).mean(axis=0) / tokens
    return result


def _by_caption(signed: Floats, tokens: NDArray[np.int64]) -> Floats:
    return caption_kl(signed, int(tokens.sum()))
