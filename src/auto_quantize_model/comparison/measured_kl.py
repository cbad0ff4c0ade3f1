"""Whether two measurements of a KL divergence, on the same captions, agree."""

from __future__ import annotations

import math

_LEAST_TOLERANCE = 0.02
"""What runs beside it decides last bits, and each may round an input to another value, which moved a whole case by up
to 0.1 % and a single group by up to 0.5 %. On another processor it was, with inputs in FP8, up to 7 % of a case with 16
captions and 2 % with 128: at most 0.73 of the way to the end of its interval."""


def agree(old: float, new: float, intervals: tuple[object, object], tolerance: float, *, elsewhere: bool) -> bool:
    """Whether two measurements agree; `intervals` are those of the old and of the new one, or what stands there.

    `elsewhere`: on another machine any token's input may round to the other side, which moves a measurement as other
    captions do, but by less. So there each may be anywhere in the other's interval.
    """
    if math.isclose(old, new, rel_tol=max(tolerance, _LEAST_TOLERANCE)):
        return True
    return elsewhere and _holds(intervals[0], new) and _holds(intervals[1], old)


def _holds(interval: object, value: float) -> bool:
    match interval:
        case [int() | float() as low, int() | float() as high]:
            return low <= value <= high
        case _:
            return False
