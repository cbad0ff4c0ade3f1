"""A logarithmic scale and its ticks."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_MOST_TICKS = 6


@dataclasses.dataclass(frozen=True, slots=True)
class LogScale:
    """Values to places between two ends; what is beyond an end is put on it."""

    low: float
    high: float
    """Exponents of ten."""
    start: float
    end: float
    """Places of the lowest and of the highest value."""

    def at(self, value: float) -> float:
        share = (math.log10(value) - self.low) / (self.high - self.low) if value > 0 else 0.0
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)

    def ticks(self) -> Iterator[tuple[float, str]]:
        """The place of each whole power of ten that is shown, and how it is written."""
        first, last = math.ceil(self.low), math.floor(self.high)
        step = max(math.ceil((last - first + 1) / _MOST_TICKS), 1)
        for exponent in range(last, first - 1, -step):
            yield self.at(10.0**exponent), power_of_ten(exponent)


def log_scale(values: Iterable[float], start: float, end: float, *, decades: int = 1) -> LogScale:
    """A scale over positive values, a little wider than they are; `decades` is the least it spans."""
    positive = [value for value in values if 0 < value < math.inf]
    low, high = (math.log10(min(positive)), math.log10(max(positive))) if positive else (-1.0, 0.0)
    missing = max(decades - (high - low), 0.0) / 2
    margin = 0.04 * (high - low + 2 * missing)
    return LogScale(low - missing - margin, high + missing + margin, start, end)


def power_of_ten(exponent: int) -> str:
    return f"10{str(exponent).translate(_SUPERSCRIPT)}" if exponent else "1"
