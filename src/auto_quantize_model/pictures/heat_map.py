"""`heat-map.svg`: what each layer costs under each pair, on one scale of colours, with the number in each cell."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

from auto_quantize_model.pictures.svg import Drawing, box
from auto_quantize_model.quoting import visible
from auto_quantize_model.reports.headline import ranked
from auto_quantize_model.reports.model_cases import cost
from auto_quantize_model.reports.quantities import engineering
from auto_quantize_model.reports.rows import rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from auto_quantize_model.reports.model_cases import ModelCases

NAME = "heat-map.svg"

_LEFT, _TOP, _ROW, _LETTER = 76.0, 118.0, 18.0, 7.2
_SHADES = 7
_SWATCH = 54.0
_LEAST_LETTERS, _LEAST_WIDTH = 7, 600.0
_NOTHING = "n/a"
_LONGEST = 16

Cell = tuple[float | None, bool]
"""What the measured groups of a layer come to, and whether that leaves groups out."""


def render(cases: ModelCases) -> str:
    """The figure as text."""
    return _HeatMap(cases).render()


class _HeatMap:
    """One figure while it is drawn."""

    def __init__(self, cases: ModelCases) -> None:
        self._cases, self._pairs = cases, cases.by_cost()
        self._columns = [cells_of(cases.largest(pair)) for pair in self._pairs]
        self._layers = sorted({layer for column in self._columns for layer in column})
        known = [value for column in self._columns for value, _ in column.values() if value]
        self._low, self._high = (min(known), max(known)) if known else (0.1, 1.0)
        self._headings = [[_cut(part) for part in visible(pair).split("_", 2)] for pair in self._pairs]
        longest = max((len(part) for heading in self._headings for part in heading), default=0)
        self._letters = max(_LEAST_LETTERS, longest + 2)
        self._cell = float(round(self._letters * _LETTER))
        width = max(_LEFT + self._cell * len(self._pairs) + 12, _LEAST_WIDTH)
        self._drawing = Drawing(width, f"{cases.model}: what each layer costs", self._description())

    def render(self) -> str:
        drawing = self._drawing
        drawing.text(14, 26, f"{self._cases.model}: what each layer costs", "h")
        drawing.text(
            14, 46, "sum of the predicted KL of the layer's groups, nats per token; m: 10⁻³, µ: 10⁻⁶, n: 10⁻⁹", "m s"
        )
        self._scale(60)
        self._headings_row()
        shades: dict[str, list[str]] = {}
        for number, column in enumerate(self._columns):
            styles = [self._shade(column.get(layer, (None, False))[0]) for layer in self._layers]
            top = _TOP
            for style, run in itertools.groupby(styles):
                height = _ROW * len(list(run))
                shades.setdefault(style, []).append(box(_LEFT + number * self._cell, top, self._cell, height))
                top += height
        for style, parts in sorted(shades.items()):
            drawing.path(parts, style)
        y = _TOP + _ROW * len(self._layers)
        for number, layer in enumerate(self._layers):
            self._row(_TOP + number * _ROW, str(layer), [column.get(layer, (None, False)) for column in self._columns])
        y = self._totals(y + 6)
        if any(partial for column in self._columns for value, partial in column.values() if value is not None):
            y += _ROW
            drawing.text(14, y, "*: of the layer's groups some were not measured, and are not in the sum", "s")
        return drawing.render(y + 14)

    def _description(self) -> str:
        told = []
        for pair, column in zip(self._pairs, self._columns, strict=True):
            known = [(value, layer) for layer, (value, _) in column.items() if value is not None]
            if known:
                value, layer = max(known)
                told.append(f"{pair}: the costliest layer is {layer} with {engineering(value)}")
        return f"One row a layer, one column a pair, from the fewest bits. {'; '.join(told)}."

    def _scale(self, y: float) -> None:
        edges = [self._low * (self._high / self._low) ** (step / _SHADES) for step in range(_SHADES + 1)]
        for step in range(_SHADES):
            self._drawing.rectangle(_LEFT + step * _SWATCH, y, _SWATCH, 12, f"c{step}")
        for step, edge in enumerate(edges):
            self._drawing.text(_LEFT + step * _SWATCH, y + 24, engineering(edge), "s m c")

    def _headings_row(self) -> None:
        self._drawing.text(_LEFT - 8, _TOP - 8, "layer", "s m e")
        for number, heading in enumerate(self._headings):
            for line, part in enumerate(reversed(heading)):
                self._drawing.text(_LEFT + (number + 0.5) * self._cell, _TOP - 6 - 13 * line, part, "s b c")

    def _row(self, y: float, name: str, cells: Sequence[Cell]) -> None:
        text = "".join(_shown(value, partial=partial).center(self._letters) for value, partial in cells)
        self._drawing.text(_LEFT - 8, y + 13, name, "s m e")
        self._drawing.row_of_text(_LEFT, y + 13, self._cell * len(cells), text)

    def _totals(self, y: float) -> float:
        manifests = [self._cases.largest(pair) for pair in self._pairs]
        sums: list[Cell] = [(_sum(value for value, _ in column.values()), False) for column in self._columns]
        self._row(y, "sum", sums)
        if any(each["measured"] is not None for each in manifests if "measured" in each):
            y += _ROW
            measured = [cost(each) if each.get("measured") is not None else None for each in manifests]
            self._row(y, "measured", [(value, False) for value in measured])
        return y + _ROW

    def _shade(self, value: float | None) -> str:
        if value is None:
            return "x"
        if value <= self._low or self._high <= self._low:
            return "c0"
        share = math.log(value / self._low) / math.log(self._high / self._low)
        return f"c{min(int(share * _SHADES), _SHADES - 1)}"


def cells_of(manifest: Mapping[str, Any]) -> dict[int, Cell]:
    """What each layer of a case costs."""
    found: dict[int, list[float | None]] = {}
    for group in ranked(rows(manifest)):
        if group.place.depth is not None:
            found.setdefault(group.place.depth, []).append(group.row.get("predicted_kl"))
    return {layer: (_sum(costs), None in costs) for layer, costs in found.items()}


def _sum(costs: Iterable[float | None]) -> float | None:
    known = [each for each in costs if each is not None]
    return math.fsum(known) if known else None


def _shown(value: float | None, *, partial: bool) -> str:
    return _NOTHING if value is None else f"{engineering(value)}{'*' if partial else ''}"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
