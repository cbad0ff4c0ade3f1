"""What each group of a case is predicted to cost, from two estimates that probes give of it.

A probe's products are added up over a caption before they are squared. That has no bias, but one caption then is one
number, whose square varies twice as much as it is large. Squared row by row, a caption has as many numbers as tokens:
what is lost is only what the errors of different tokens do to each other. That changes little, and much the same for
all groups of a case. So the sum of the rows' squares is taken, corrected by how much the other estimate differs from
it: by the mean over all groups, and by as much of a group's own difference as is not noise.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, slots=True)
class Predicted:
    """What the groups of a case are predicted to cost."""

    by_caption: list[Floats]
    """Of each group, in nats."""
    log_spread: float
    """How far any of them may be off by what it has not in common with the others: one standard deviation of the
    logarithm, beside what other captions or probes would change."""


def caption_kl(signed: Floats) -> Floats:
    """A caption's predicted KL, in nats: half the mean over probes of what they saw of it, squared."""
    result: Floats = 0.5 * np.square(signed).mean(axis=0)
    return result


def predicted_kl(signed: Sequence[Floats], by_row: Sequence[Floats]) -> Predicted:
    """Predict each group's KL, caption by caption.

    `signed` is what every probe saw of every caption; `by_row` the caption's predicted KL were its rows on their own.
    """
    by_caption = [caption_kl(each) for each in signed]
    usable = [
        place
        for place, (caption, row) in enumerate(zip(by_caption, by_row, strict=True))
        if _is_positive(caption) and _is_positive(row)
    ]
    if len(usable) < 2 or len(by_caption[0]) < 2:  # noqa: PLR2004  one has no spread
        return Predicted(by_caption, 0.0)
    blended, log_spread = _blended(*(np.stack([each[place] for place in usable]) for each in (by_caption, by_row)))
    of_usable = dict(zip(usable, blended, strict=True))
    return Predicted([of_usable.get(place, each) for place, each in enumerate(by_caption)], log_spread)


def _is_positive(values: Floats) -> bool:
    total = values.sum()
    return bool(total > 0 and np.isfinite(total))


def _blended(by_caption: Floats, by_row: Floats) -> tuple[Floats, float]:
    captions, rows = (each / each.sum(axis=1, keepdims=True) for each in (by_caption, by_row))
    difference = np.log(by_caption.sum(axis=1)) - np.log(by_row.sum(axis=1))
    count = by_caption.shape[1]
    noise = float(np.square(captions - rows).sum(axis=1).mean()) * count / (count - 1)
    spread = float(difference.var(ddof=1))
    real = max(spread - noise, 0.0)
    own = real / spread if spread > 0 else 0.0
    common = float(difference.mean())
    total = by_row.sum(axis=1) * np.exp(common + own * (difference - common))
    # What each caption adds is the share that it has in both, so that its influence on the total is right.
    return total[:, None] * (own * captions + (1 - own) * rows), float(np.sqrt((1 - own) * real))
