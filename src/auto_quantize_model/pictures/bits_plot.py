"""A plot of bits against KL: points with their intervals and names, and the fronts of recipes."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Any

from auto_quantize_model.pictures.log_scale import log_scale
from auto_quantize_model.pictures.svg import across, bar, box, diamond, dot, number, ring
from auto_quantize_model.reports.quantities import engineering, nats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from auto_quantize_model.pictures.svg import Drawing

WIDTH = 600.0
_LEFT, _RIGHT = 58.0, 588.0
_LABELS, _LINE = 146.0, 15.0
"""Room to the right of the most bits, and the height of a label."""
_MARK = 6.0
"""Half the width of a mark, with some air."""
_BESIDE_A_MARK = 11.0
_MOVED = 3.0
"""From here on a label needs a line to its point."""
_FRONT_POINTS = 80


@dataclasses.dataclass(frozen=True, slots=True)
class Point:
    """A pair or a recipe; one without a cost is not drawn."""

    name: str
    bits: float
    predicted: float | None
    interval: Sequence[float] | None
    measured: float | None
    is_recipe: bool
    is_ringed: bool = False
    """Whether it is what the figure is about."""

    @property
    def cost(self) -> float | None:
        return self.predicted if self.predicted is not None else self.measured

    @property
    def drawn(self) -> list[float]:
        """The costs at which it has a mark."""
        return [kl for kl in (self.predicted, self.measured) if kl]

    @property
    def told(self) -> str:
        """In words, for those who cannot see it."""
        predicted = None if self.predicted is None else f"predicted {nats(self.predicted)}"
        measured = None if self.measured is None else f"measured {nats(self.measured)}"
        what = "recipe " if self.is_recipe else ""
        return f"{what}{self.name}: {', '.join(filter(None, (f'{self.bits:.3g} bits', predicted, measured)))}"


@dataclasses.dataclass(frozen=True, slots=True)
class _Box:
    """What a label must not cover."""

    y: float
    left: float
    right: float
    distance: float
    """How far from it, up or down, a label is beside it."""

    def meets(self, y: float, left: float, right: float) -> bool:
        return abs(y - self.y) < self.distance and left < self.right and right > self.left


class BitsPlot:
    """One plot, between two heights of a drawing that is `WIDTH` wide."""

    def __init__(
        self, points: Iterable[Point], fronts: Iterable[Mapping[str, Any]], top: float, end: float, beyond: float = 0
    ) -> None:
        """`beyond` is how many bits more than those of the points are shown of the fronts."""
        self._points = [point for point in points if point.cost]
        self._fronts = list(fronts)
        self._top, self._end = top, end
        self._least = min((each.bits for each in self._points), default=4)
        self._most = max((each.bits for each in self._points), default=8) + beyond
        shown = [kl for front in self._fronts for _, kl in self._shown(front)] if beyond else []
        ends = (value for each in self._points for value in (each.predicted, each.measured, *(each.interval or ())))
        self._scale = log_scale([*(value for value in ends if value), *shown], end, top)

    def draw(self, drawing: Drawing) -> float:
        """Draw it all but the title; returns where it ends."""
        self._legend(drawing)
        for place, tick in self._scale.ticks():
            drawing.path([across(_LEFT, place, _RIGHT)], "grid")
            drawing.text(_LEFT - 6, place + 4, tick, "s m e")
        drawing.path([across(_LEFT, self._end, _RIGHT)], "axis")
        title = "effective bits of the scored weights, as ModelOpt counts them"
        drawing.text((_LEFT + _RIGHT) / 2, self._end + 34, title, "s m c")
        for whole in range(int(self._least), int(self._most) + 1):
            if self._least <= whole <= self._most:
                drawing.path([bar(self._x(whole), self._top, self._end)], "grid")
                drawing.text(self._x(whole), self._end + 16, str(whole), "s m c")
        for front in self._fronts:
            drawing.path(self._front(front), "o thin")
        self._marks(drawing)
        self._labels(drawing)
        return self._end + 44

    def _legend(self, drawing: Drawing) -> None:
        samples: list[tuple[Callable[[float, float], str], str, str]] = [
            (dot, "p dot", "pair, predicted"),
            (diamond, "qf", "measured"),
            (_square, "of", "recipe"),
            (_dash, "o thin", "the best that a recipe can do"),
        ]
        left, y = 20.0, self._top - 24
        for shape, style, text in samples:
            drawing.path([shape(left, y)], style)
            drawing.text(left + 11, y + 4, text, "s")
            left += 32 + 6.6 * len(text)

    def _x(self, bits: float) -> float:
        spread = max(self._most - self._least, 0.5)
        return _LEFT + 24 + (bits - self._least) / spread * (_RIGHT - _LEFT - 24 - _LABELS)

    def _shown(self, front: Mapping[str, Any]) -> list[tuple[float, float]]:
        points = ((each["effective_bits"], each["predicted_kl"]) for each in front["points"])
        return [(bits, kl) for bits, kl in points if self._least <= bits <= self._most and kl > 0]

    def _front(self, front: Mapping[str, Any]) -> list[str]:
        points = [(self._x(bits), self._scale.at(kl)) for bits, kl in self._shown(front)]
        step = max(len(points) // _FRONT_POINTS, 1)
        return [f"{'L' if at else 'M'}{number(one)} {number(other)}" for at, (one, other) in enumerate(points[::step])]

    def _marks(self, drawing: Drawing) -> None:
        scale = self._scale
        for is_recipe, shape, style in ((False, dot, "p dot"), (True, _square, "of")):
            some = [(each, self._x(each.bits)) for each in self._points if each.is_recipe is is_recipe]
            intervals = [bar(at, *map(scale.at, each.interval)) for each, at in some if each.interval]
            drawing.path(intervals, "o thin" if is_recipe else "p thin")
            drawing.path([shape(at, scale.at(each.predicted)) for each, at in some if each.predicted], style)
        measured = [(self._x(each.bits), each.measured) for each in self._points if each.measured]
        drawing.path([diamond(at, scale.at(kl)) for at, kl in measured], "qf")
        ringed = (each for each in self._points if each.is_ringed)
        drawing.path([ring(self._x(each.bits), scale.at(each.cost or 0.0), 9) for each in ringed], "o thin")

    def _labels(self, drawing: Drawing) -> None:
        """Beside the points, moved where they would cover another or a mark, with a line to what they are of."""
        taken = [
            _Box(self._scale.at(kl), self._x(each.bits) - _MARK, self._x(each.bits) + _MARK, _BESIDE_A_MARK)
            for each in self._points
            for kl in each.drawn
        ]
        leaders, texts = [], []
        for point in sorted(self._points, key=lambda each: self._scale.at(each.cost or 0.0)):
            place = self._x(point.bits), self._scale.at(point.cost or 0.0)
            text = f"{point.name} {engineering(point.cost or 0.0)}"
            left = place[0] + 12
            right = left + 6.9 * len(text)
            # Down first, and only as far as there is a plot above.
            moves = (move for step in itertools.count() for move in (step, -step) if place[1] + move >= self._top)
            heights = (place[1] + move for move in moves)
            y = next(each for each in heights if not any(its.meets(each, left, right) for its in taken))
            taken.append(_Box(y, left, right, _LINE))
            if abs(y - place[1]) > _MOVED:
                leaders.append(f"M{number(place[0] + 4)} {number(place[1])}L{number(left - 2)} {number(y)}")
            texts.append((left, y + 4, text))
        drawing.path(leaders, "axis")
        for left, y, text in texts:
            drawing.text(left, y, text, "l")


def _square(x: float, y: float) -> str:
    return box(x - 4, y - 4, 8, 8)


def _dash(x: float, y: float) -> str:
    return across(x - 8, y, x + 8)
