"""What other captions to calibrate on would change: the maximum that an input is quantized by, and the scores with it.

A maximum of maxima follows an extreme value distribution, and the gaps between the largest maxima say how wide it is:
the mean of their logarithms above the next one estimates its scale (Hill), whose multiple is the standard deviation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LARGEST_USED: Final = 4
"""How many of the largest maxima tell the scale: fewer vary more, more reach into what is not extreme."""
_MOST: Final = float(np.finfo(np.float32).max)
_DEVIATION: Final = np.pi / np.sqrt(6)
"""The standard deviation of a Gumbel distribution of scale one."""


def other_maximum(maxima: NDArray[np.float32]) -> float | None:
    """The maximum that other batches may well have: larger by one standard deviation of its logarithm.

    None where a single batch says nothing of others, and where one is no number. Larger, for what is scored is
    calibrated on as well, so that a smaller one would cut off what it holds.
    """
    descending = np.sort(maxima.astype(np.float64))[::-1]
    if not np.isfinite(descending).all():
        return None
    used = min(_LARGEST_USED, len(descending) - 1)
    if used < 1:
        return None
    largest, following = descending[:used], descending[used]
    if not following > 0:
        # Without a smallest to compare with there is no scale; nothing but zeros has none to lose.
        return None if descending[0] > 0 else 0.0
    scale = float(np.log(largest / following).mean())
    other = min(descending[0] * np.exp(_DEVIATION * scale), _MOST)
    return float(np.float32(other))


def log_spread(score: float, activations: float, by_the_other: float) -> float:
    """How far a score may be off for its calibration, as a standard deviation of its logarithm.

    `activations` is what quantizing the inputs alone scores, and `by_the_other` the same by the other maximum.
    """
    if not score > 0:
        return 0.0
    with np.errstate(over="ignore"):
        return float(np.log1p(abs(by_the_other - activations) / score))
