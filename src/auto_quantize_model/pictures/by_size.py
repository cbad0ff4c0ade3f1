"""`by-size.svg`: how the total of each pair, and whether its order is settled, change with the number of captions."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from auto_quantize_model.pictures.log_scale import log_scale
from auto_quantize_model.pictures.svg import Drawing, across, bar, dot
from auto_quantize_model.quoting import visible
from auto_quantize_model.reports.enough_captions import is_settled
from auto_quantize_model.reports.model_cases import same_at_every_size, total

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

from auto_quantize_model.reports.model_cases import ModelCases

NAME = "by-size.svg"

_LEFT, _RIGHT, _TOP, _ROW = 118.0, 424.0, 84.0, 34.0
_COLUMN, _LEAST_COLUMNS = 56.0, 3
_APART = 9.0
"""How far the dots of two sizes are from each other, if there are not too many of them."""
_LONGEST_NAME = 8
_LINE = 84


def render(cases: ModelCases) -> str:
    """The figure as text."""
    pairs = cases.by_cost()
    offsets = _offsets(list(cases.sizes))
    width = _RIGHT + 8.0 + _COLUMN * max(len(offsets), _LEAST_COLUMNS)
    scale = log_scale([each for pair in pairs for each in _numbers(cases, pair)], _LEFT, _RIGHT)
    drawing = Drawing(width, f"{cases.model}: the same with more captions", _description(cases))
    drawing.text(14, 26, f"{cases.model}: the same with more captions", "h")
    drawing.text(14, 46, "total predicted KL with its 95 % interval, nats per token (logarithmic)", "m s")
    drawing.text(14, 64, f"from top to bottom: {_sizes(cases)} captions", "m s")
    drawing.text(_RIGHT + 14, 64, "ten most sensitive settled?", "s m")
    for column, size in enumerate(offsets):
        drawing.text(_RIGHT + 36 + column * _COLUMN, 80, _short(size), "s m c")
    bottom = _TOP + _ROW * len(pairs)
    for place, tick in scale.ticks():
        drawing.path([bar(place, _TOP, bottom)], "grid")
        drawing.text(place, bottom + 16, tick, "s m c")
    intervals, dots = [], []
    for number, pair in enumerate(pairs):
        y = _TOP + (number + 0.5) * _ROW
        drawing.text(_LEFT - 10, y + 4, pair, "s e")
        drawing.path([across(14, y + _ROW / 2, width - 12)], "grid")
        for column, (size, offset) in enumerate(offsets.items()):
            manifest = cases.of_pair(pair).get(size)
            drawing.text(_RIGHT + 36 + column * _COLUMN, y + 4, _settled(manifest), "s c")
            predicted, interval = (None, None) if manifest is None else total(manifest)
            if interval is not None:
                intervals.append(across(scale.at(interval[0]), y + offset, scale.at(interval[1])))
            if predicted:
                dots.append(dot(scale.at(predicted), y + offset))
    drawing.path(intervals, "p thin")
    drawing.path(dots, "p dot")
    y = bottom + 20
    for line in _notes(cases):
        y += 17
        drawing.text(14, y, line, "s")
    return drawing.render(y + 14)


def _numbers(cases: ModelCases, pair: str) -> Iterator[float]:
    for manifest in cases.of_pair(pair).values():
        predicted, interval = total(manifest)
        yield predicted or 0.0
        yield from interval or ()


def _sizes(cases: ModelCases) -> str:
    return ", ".join(f"{_short(size)} {count}" for size, count in cases.sizes.items())


def _offsets(sizes: Sequence[str]) -> dict[str, float]:
    """How far from the middle of its row each size has its dot."""
    apart = min(_APART, 2 * _APART / max(len(sizes) - 1, 1))
    return {size: apart * (number - (len(sizes) - 1) / 2) for number, size in enumerate(sizes)}


def _short(size: str) -> str:
    return size if len(size) <= _LONGEST_NAME else f"{size[: _LONGEST_NAME - 1]}…"


def _settled(manifest: Mapping[str, Any] | None) -> str:
    statistics = None if manifest is None else manifest.get("statistics")
    if statistics is None:
        return "-" if manifest is None else "n/a"
    return "yes" if is_settled(statistics) else "no"


def _notes(cases: ModelCases) -> Iterator[str]:
    same = same_at_every_size(cases)
    if same:
        pairs = ", ".join(map(visible, same))
        text = (
            f"The same at two sizes: {pairs}. Both sizes score the same captions, and these pairs have no activations "
            "to calibrate."
        )
        yield from textwrap.wrap(text, _LINE)


def _description(cases: ModelCases) -> str:
    told = []
    for pair in cases.by_cost():
        each = (f"{size} {_settled(manifest)}" for size, manifest in cases.of_pair(pair).items())
        told.append(f"{pair}: {', '.join(each)}")
    return f"Whether the captions settle the ten most sensitive groups, by size. {'; '.join(told)}."
