"""Whether two measurements of a KL divergence, on the same captions, agree."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_LEAST_TOLERANCE = 0.02
"""What runs beside it decides last bits, and each may round an input to another value, which moved a whole case by up
to 0.1 % and a single group by up to 0.5 %. On another processor it was, with inputs in FP8, up to 7 % of a case with 16
captions and 2 % with 128: at most 0.73 of the way to the end of its interval."""


def agree(
    old: Mapping[str, Any], new: Mapping[str, Any], tolerance: float, *, elsewhere: bool, key: str = "kl"
) -> bool:
    """Whether the numbers under a key agree, which lie beside their intervals.

    `elsewhere`: on another machine any token's input may round to the other side, which moves a measurement as other
    captions do, but by less. So there each may be anywhere in the other's interval.
    """
    if math.isclose(old[key], new[key], rel_tol=max(tolerance, _LEAST_TOLERANCE)):
        return True
    return elsewhere and _holds(old, new[key], key) and _holds(new, old[key], key)


def _holds(measured: Mapping[str, Any], value: float, key: str) -> bool:
    interval = measured.get(f"{key}_ci95")
    return isinstance(interval, list) and interval[0] <= value <= interval[1]
