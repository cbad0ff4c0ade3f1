"""`bits-against-kl.svg`: what the pairs and the recipes of a model cost, against the bits that they take."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from auto_quantize_model.manifest.document import mapping
from auto_quantize_model.pictures.log_scale import log_scale
from auto_quantize_model.pictures.svg import Drawing, across, bar, box, diamond, dot, number
from auto_quantize_model.reports.model_cases import bits, total
from auto_quantize_model.reports.quantities import engineering, nats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from auto_quantize_model.pictures.log_scale import LogScale
    from auto_quantize_model.reports.model_cases import ModelCases

NAME = "bits-against-kl.svg"

_WIDTH, _LEFT, _RIGHT, _TOP, _END = 600.0, 58.0, 588.0, 84.0, 424.0
_LABELS, _LINE = 146.0, 15.0
"""Room to the right of the most bits, and the height of a label."""
_MOVED = 3.0
"""From here on a label needs a line to its point."""
_FRONT_POINTS = 80


@dataclasses.dataclass(frozen=True, slots=True)
class _Point:
    """A pair or a recipe."""

    name: str
    bits: float
    predicted: float | None
    interval: Sequence[float] | None
    measured: float | None
    is_recipe: bool

    @property
    def cost(self) -> float | None:
        return self.predicted if self.predicted is not None else self.measured


def render(cases: ModelCases) -> str:
    """The figure as text."""
    points = [point for point in _points(cases) if point.cost]
    values = [value for each in points for value in (each.predicted, each.measured, *(each.interval or ())) if value]
    scale = log_scale(values, _END, _TOP)
    least, most = min((each.bits for each in points), default=4), max((each.bits for each in points), default=8)
    spread = max(most - least, 0.5)

    def x(value: float) -> float:
        return _LEFT + 24 + (value - least) / spread * (_RIGHT - _LEFT - 24 - _LABELS)

    drawing = Drawing(_WIDTH, f"{cases.model}: bits against KL", _description(points))
    _frame(drawing, cases, scale)
    for whole in range(int(least), int(most) + 1):
        if least <= whole <= most:
            drawing.path([bar(x(whole), _TOP, _END)], "grid")
            drawing.text(x(whole), _END + 16, str(whole), "s m c")
    for _, pareto in cases.recipes.values():
        drawing.path(_front(pareto, x, scale, least, most), "o thin")
    _marks(drawing, points, x, scale)
    _labels(drawing, points, x, scale)
    return drawing.render(_END + 44)


def _points(cases: ModelCases) -> list[_Point]:
    points = []
    for pair in cases.by_cost():
        manifest = cases.largest(pair)
        predicted, interval = total(manifest)
        points.append(_Point(pair, bits(manifest), predicted, interval, mapping(manifest, "measured").get("kl"), False))
    for name, (recipe, _) in cases.recipes.items():
        measured = mapping(recipe, "measured").get("kl")
        interval = recipe.get("predicted_kl_ci95")
        points.append(_Point(name, recipe["effective_bits"], recipe["predicted_kl"], interval, measured, True))
    return points


def _description(points: Iterable[_Point]) -> str:
    def told(point: _Point) -> str:
        what = "recipe " if point.is_recipe else ""
        measured = "" if point.measured is None else f", measured {nats(point.measured)}"
        return f"{what}{point.name}: {point.bits:.3g} bits, predicted {nats(point.predicted or 0.0)}{measured}"

    return f"KL per token against effective bits. {'; '.join(map(told, points))}."


def _frame(drawing: Drawing, cases: ModelCases, scale: LogScale) -> None:
    drawing.text(14, 26, f"{cases.model}: bits against KL", "h")
    drawing.text(14, 46, "nats per token (logarithmic) of the whole model, at the largest size published", "m s")
    samples: list[tuple[Callable[[float, float], str], str, str]] = [
        (dot, "p dot", "pair, predicted"),
        (diamond, "qf", "measured"),
        (_square, "of", "recipe"),
        (_dash, "o thin", "the best that a recipe can do"),
    ]
    left = 20.0
    for shape, style, text in samples:
        drawing.path([shape(left, 60)], style)
        drawing.text(left + 11, 64, text, "s")
        left += 32 + 6.6 * len(text)
    for place, tick in scale.ticks():
        drawing.path([across(_LEFT, place, _RIGHT)], "grid")
        drawing.text(_LEFT - 6, place + 4, tick, "s m e")
    drawing.path([across(_LEFT, _END, _RIGHT)], "axis")
    drawing.text(
        (_LEFT + _RIGHT) / 2, _END + 34, "effective bits of the scored weights, as ModelOpt counts them", "s m c"
    )


def _front(
    pareto: Mapping[str, Any], x: Callable[[float], float], scale: LogScale, least: float, most: float
) -> list[str]:
    points = [
        (x(each["effective_bits"]), scale.at(each["predicted_kl"]))
        for each in pareto["points"]
        if least <= each["effective_bits"] <= most and each["predicted_kl"] > 0
    ]
    step = max(len(points) // _FRONT_POINTS, 1)
    return [f"{'L' if at else 'M'}{number(one)} {number(other)}" for at, (one, other) in enumerate(points[::step])]


def _marks(drawing: Drawing, points: Sequence[_Point], x: Callable[[float], float], scale: LogScale) -> None:
    for is_recipe, shape, style in ((False, dot, "p dot"), (True, _square, "of")):
        some = [(each, x(each.bits)) for each in points if each.is_recipe is is_recipe]
        intervals = [bar(at, *map(scale.at, each.interval)) for each, at in some if each.interval]
        drawing.path(intervals, "o thin" if is_recipe else "p thin")
        drawing.path([shape(at, scale.at(each.predicted)) for each, at in some if each.predicted], style)
    drawing.path([diamond(x(each.bits), scale.at(each.measured)) for each in points if each.measured], "qf")


def _labels(drawing: Drawing, points: Sequence[_Point], x: Callable[[float], float], scale: LogScale) -> None:
    """Beside the points, moved down where they would cover each other, with a line to what they are of."""
    taken: list[tuple[float, float, float]] = []
    leaders, texts = [], []
    for point in sorted(points, key=lambda each: scale.at(each.cost or 0.0)):
        place = x(point.bits), scale.at(point.cost or 0.0)
        text = f"{point.name} {engineering(point.cost or 0.0)}"
        left, width = place[0] + 12, 6.9 * len(text)
        y = place[1]
        while any(abs(y - its) < _LINE and left < end and left + width > start for its, start, end in taken):
            y += 1
        taken.append((y, left, left + width))
        if y - place[1] > _MOVED:
            leaders.append(f"M{number(place[0] + 4)} {number(place[1])}L{number(left - 2)} {number(y)}")
        texts.append((left, y + 4, text))
    drawing.path(leaders, "axis")
    for left, y, text in texts:
        drawing.text(left, y, text, "l")


def _square(x: float, y: float) -> str:
    return box(x - 4, y - 4, 8, 8)


def _dash(x: float, y: float) -> str:
    return across(x - 8, y, x + 8)
