"""Numbers as people read them: with few digits, and a unit instead of an exponent."""

from __future__ import annotations

import dataclasses
import math

NOTHING = "n/a"
_PREFIXES = ((1.0, "", ""), (1e-3, "m", "milli"), (1e-6, "µ", "micro"), (1e-9, "n", "nano"), (1e-12, "p", "pico"))
_PLAIN_FROM = 1e-3
"""Above this, nats are said without a prefix in running text."""


@dataclasses.dataclass(frozen=True, slots=True)
class Unit:
    """What the numbers of one column are counted in."""

    size: float
    symbol: str
    """Put before the symbol of the quantity: `m` of `mnat`."""

    def show(self, value: float | None) -> str:
        """A value in this unit, with three digits that count."""
        return NOTHING if value is None else digits(value / self.size)

    def show_interval(self, interval: list[float] | None) -> str:
        return NOTHING if interval is None else f"{self.show(interval[0])} to {self.show(interval[1])}"


def unit_for(largest: float) -> Unit:
    """The unit in which the largest of some numbers has one to three digits before its point."""
    size, symbol, _ = _prefix(largest)
    return Unit(size, symbol)


def engineering(value: float) -> str:
    """In a chart, where there is no room for a unit: `5.66m`, `22µ`."""
    size, symbol, _ = _prefix(value)
    return f"{digits(value / size, 2)}{symbol}"


def nats(value: float) -> str:
    """In running text: `0.054 nats`, `57 micronats`."""
    if value == 0 or abs(value) >= _PLAIN_FROM:
        return f"{digits(value, 2)} nats"
    size, _, name = _prefix(value)
    return f"{digits(value / size, 2)} {name}nats"


def digits(value: float, count: int = 3) -> str:
    """Rounded to so many digits that count, without an exponent where a reader can do without."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.{count}g}")
    magnitude = math.floor(math.log10(abs(rounded)))
    if not -count - 1 <= magnitude < 2 * count:
        return f"{value:.{count - 1}e}"
    return f"{rounded:.{max(count - 1 - magnitude, 0)}f}"


def _prefix(value: float) -> tuple[float, str, str]:
    """The largest prefix of which there is one or more, as two digits are rounded."""
    rounded = abs(float(f"{value:.2g}"))
    return next((prefix for prefix in _PREFIXES if rounded >= prefix[0]), _PREFIXES[-1] if rounded else _PREFIXES[0])
