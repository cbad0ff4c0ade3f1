"""`recipe.svg`: the pair of each group along the depth of the model, how sure each choice is, and what it all costs."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import math
import string
import textwrap
from typing import TYPE_CHECKING, Any

from auto_quantize_model.manifest.document import mapping
from auto_quantize_model.pictures.bits_plot import WIDTH, BitsPlot, Point
from auto_quantize_model.pictures.svg import Drawing, bar, box, number
from auto_quantize_model.quoting import visible
from auto_quantize_model.reports.committed_recipes import SETTLED
from auto_quantize_model.reports.places import Place, places

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

NAME = "recipe.svg"
MEANING = "The pair of each group by layer, how sure each choice is, and what the recipe costs beside each pair alone"

_LEFT, _RIGHT = 58.0, 588.0
_TITLE, _CELL, _LANE, _GAP = 20.0, 22.0, 13.0, 8.0
_LETTERS_FROM = 11.0
"""The width of a cell from which on it has room for a letter."""
_LEAST_BAR = 2.5
_MOST_TICKS = 16
_MOST_NAMED = 4
_MOST_PAIRS = 25
"""Kinds of colour and pattern together."""
_LINE = 92
"""Letters."""
_PLOT = 250.0
_BEYOND = 1.0
"""Bits."""
_AS_IT_IS, _LEFT_OUT = "none", "left out"
_COLOURS = 5
_STYLE = """
.k0{fill:#a9d1ff}.k1{fill:#ffca85}.k2{fill:#dcc4ff}.k3{fill:#f3e58a}.k4{fill:#9be3d5}.n{fill:#f6f8fa;stroke:#818b98}
.y1{fill:url(#y1)}.y2{fill:url(#y2)}.y3{fill:url(#y3)}.y4{fill:url(#y4)}
pattern path{stroke:#1f2328;fill:none}.y{opacity:.3}.k{font-size:12px;font-weight:600}
@media (prefers-color-scheme:dark){
.k0{fill:#0c4a8a}.k1{fill:#8a4a00}.k2{fill:#5c3799}.k3{fill:#655800}.k4{fill:#005f54}.n{fill:#151b23;stroke:#7d8590}
pattern path{stroke:#f0f6fc}
}"""
_PATTERN = '<pattern id="y%d" width="6" height="6" patternUnits="userSpaceOnUse"><path d="%s"/></pattern>'
_PATTERNS = "".join(_PATTERN % each for each in ((1, "M3 0v6"), (2, "M2 3h2"), (3, "M0 3h6"), (4, "M0 0l6 6")))


_Pieces = list[tuple[str, int, int]]


@dataclasses.dataclass(frozen=True, slots=True)
class _Group:
    """What shares one pair."""

    place: Place
    pair: str
    """Its name, or that the group was left out since nobody knows what quantizing it does."""
    stability: float | None

    @property
    def doubt(self) -> float:
        """The share of the resamples that choose otherwise; nothing where that is settled, or not known."""
        return 0.0 if self.stability is None or self.stability >= SETTLED else 1 - self.stability


@dataclasses.dataclass(frozen=True, slots=True)
class _Look:
    """How a pair is shown: by its colour, its pattern and its letter."""

    letter: str
    colour: str
    pattern: str


def render_recipe_figure(recipe: Mapping[str, Any], pareto: Mapping[str, Any]) -> str:
    """The figure as text, from what `recipe.json` and `pareto.json` say."""
    return _Figure(recipe, pareto).render()


class _Figure:
    """One figure while it is drawn."""

    def __init__(self, recipe: Mapping[str, Any], pareto: Mapping[str, Any]) -> None:
        self._recipe = recipe
        self._groups = _groups(recipe["assignment"])
        self._known = any(group.stability is not None for group in self._groups)
        self._looks = _looks([str(each) for each in recipe["pairs"]])
        depths = sorted({group.place.depth for group in self._groups if group.place.depth is not None})
        self._columns = {depth: number for number, depth in enumerate(depths)}
        self._step = (_RIGHT - _LEFT) / max(len(depths), 1)
        self._points = list(_points(recipe))
        self._front = pareto
        title = f"{recipe['model']}: a recipe of {recipe['effective_bits']:.3g} bits"
        self._title = title
        style = f"{_STYLE}\n.u{{stroke-width:{number(min(self._step * 0.5, 6.0))}}}"
        self._drawing = Drawing(WIDTH, title, self._description(), style, _PATTERNS)

    def render(self) -> str:
        drawing = self._drawing
        drawing.text(14, 26, self._title, "h")
        drawing.text(14, 46, self._how_sure(), "m s")
        top = self._legend(68) + 14
        for kind, groups in self._kinds().items():
            top = self._row(kind, groups, top)
        top = self._depth_axis(top + 4)
        for line in (part for note in self._notes() for part in textwrap.wrap(visible(note), _LINE)):
            top += 17
            drawing.text(14, top, line, "s")
        drawing.text(14, top + 34, "predicted and measured KL of the whole model, nats per token (logarithmic)", "m s")
        plot = BitsPlot(self._points, [self._front], top + 76, top + 76 + _PLOT, beyond=_BEYOND)
        return drawing.render(round(plot.draw(drawing)))

    def _how_sure(self) -> str:
        if not self._known:
            return "how sure the choices are is not known: there are no probe sums"
        certain = f"{sum(not group.doubt for group in self._groups)} of {len(self._groups)}"
        return f"{certain} groups get the same pair in {SETTLED:.0%} of the resamples of the captions"

    def _kinds(self) -> dict[str, list[_Group]]:
        kinds: dict[str, list[_Group]] = collections.defaultdict(list)
        for group in self._groups:
            if group.place.depth is not None:
                kinds[group.place.kind].append(group)
        return kinds

    def _legend(self, y: float) -> float:
        """The pairs that some group has, and what a mark below a cell means; returns the line of the last."""
        counts = collections.Counter(group.pair for group in self._groups)
        x = 14.0
        texts = [(pair, f"{visible(pair)}: {counts[pair]}") for pair in self._looks if counts[pair]]
        for pair, text in texts:
            if x + 26 + 6.9 * len(text) > _RIGHT:
                x, y = 14.0, y + 22
            self._cells([box(x, y - 12, 18, 16)], pair)
            self._drawing.letters([x + 9], y, self._looks[pair].letter, "k c")
            self._drawing.text(x + 24, y, text, "s")
            x += 42 + 6.9 * len(text)
        if any(group.doubt for group in self._groups):
            y += 22
            self._drawing.path([bar(23, y - 10, y)], "q u")
            text = f"open: how many of the resamples choose another pair, from {1 - SETTLED:.0%} to all of them"
            self._drawing.text(38, y, text, "s")
        return y

    def _row(self, kind: str, groups: Sequence[_Group], top: float) -> float:
        """The groups of one kind; returns where the next row begins."""
        drawing = self._drawing
        drawing.text(_LEFT, top + 14, kind, "b")
        undecided = sum(bool(group.doubt) for group in groups)
        if undecided:
            drawing.text(_RIGHT, top + 14, f"{undecided} of {len(groups)} open", "s m e")
        y = top + _TITLE
        of_column: dict[int, list[_Group]] = collections.defaultdict(list)
        for group in groups:
            of_column[self._columns[group.place.depth or 0]].append(group)
        order = list(self._looks)
        pieces = {column: _pieces(its, order) for column, its in sorted(of_column.items())}
        parts: dict[str, list[str]] = collections.defaultdict(list)
        for start, end, its in _runs(pieces):
            for pair, low, high in its:
                left = self._at(start)
                parts[pair].append(box(left, y + low, self._at(end) - left, high - low))
        for pair in order:
            self._cells(parts[pair], pair)
        alone = {column: its[0][0] for column, its in pieces.items() if len(its) == 1}
        letters = [(self._at(column + 0.5), self._looks[pair].letter) for column, pair in alone.items()]
        if self._step >= _LETTERS_FROM:
            drawing.letters([x for x, _ in letters], y + 15.5, "".join(letter for _, letter in letters), "k c")
        bars = {column: max(group.doubt for group in its) for column, its in sorted(of_column.items())}
        drawing.path([self._bar(column, y + _CELL + 1, doubt) for column, doubt in bars.items() if doubt], "q u")
        return y + _CELL + (_LANE if self._known else 0.0) + _GAP

    def _cells(self, parts: Sequence[str], pair: str) -> None:
        look = self._looks[pair]
        self._drawing.path(parts, look.colour)
        if look.pattern:
            self._drawing.path(parts, f"y {look.pattern}")

    def _bar(self, column: int, y: float, doubt: float) -> str:
        return bar(self._at(column + 0.5), y, y + max(doubt * _LANE, _LEAST_BAR))

    def _at(self, column: float) -> float:
        return _LEFT + column * self._step

    def _depth_axis(self, top: float) -> float:
        """The numbers of the layers below the last row; returns where the axis ends."""
        if not self._columns:
            return top
        step = next(each for each in (1, 2, 5, 10, 20, 50, 100, 10**6) if len(self._columns) / each <= _MOST_TICKS)
        for column, depth in enumerate(self._columns):
            if column % step == 0:
                self._drawing.text(self._at(column + 0.5), top, str(depth), "s m c")
        self._drawing.text(_LEFT - 6, top, "layer", "s m e")
        return top

    def _notes(self) -> Iterator[str]:
        """What the cells do not show, or not plainly."""
        told = [f"{each.place.kind}: {each.pair}" for each in self._groups if each.place.depth is None]
        if told:
            more = f" and {len(told) - _MOST_NAMED} more" if len(told) > _MOST_NAMED else ""
            yield f"Outside the layers: {'; '.join(told[:_MOST_NAMED])}{more}"
        within = [(each.place.kind, each.place.depth) for each in self._groups if each.place.depth is not None]
        if len(set(within)) < len(within):
            yield "Where a layer has several groups of a kind, the pairs share its cell by how many have them"

    def _description(self) -> str:
        kinds = []
        for kind, groups in self._kinds().items():
            counts = collections.Counter(group.pair for group in groups).most_common(_MOST_NAMED)
            kinds.append(f"{kind}: {', '.join(f'{count} {pair}' for pair, count in counts)}")
        told = "; ".join(point.told for point in self._points if point.cost)
        return f"How many groups of each kind have which pair: {'; '.join(kinds)}. {self._how_sure()}. {told}."


def _groups(assignment: Mapping[str, Mapping[str, Any]]) -> list[_Group]:
    """Those that are chosen for; what only shares another's pair, as one product with it, is told by that."""
    chosen = {name: entry for name, entry in assignment.items() if "with" not in entry}
    found = places([{"layer": name, "modules": entry["modules"]} for name, entry in chosen.items()])
    return [
        _Group(place, _LEFT_OUT if "left_out" in entry else str(entry["pair"]), entry["stability"])
        for place, entry in zip(found, chosen.values(), strict=True)
    ]


def _looks(pairs: Sequence[str]) -> dict[str, _Look]:
    looks = {}
    for at, pair in enumerate(pairs):
        colour, pattern = at % _COLOURS, (at + at // _COLOURS) % _COLOURS
        letter = string.ascii_uppercase[at] if at < _MOST_PAIRS else "?"
        looks[pair] = _Look(letter, f"k{colour}", f"y{pattern}" if pattern else "")
    return looks | {_AS_IT_IS: _Look("-", "n", ""), _LEFT_OUT: _Look("x", "x", "")}


def _pieces(groups: Sequence[_Group], order: Sequence[str]) -> _Pieces:
    """Which pair is drawn from where to where of the height of one cell: what shares it lies one below the other."""
    counts = collections.Counter(group.pair for group in groups)
    sums = itertools.accumulate((counts[pair] for pair in order), initial=0)
    ends = itertools.pairwise(round(_CELL * each / len(groups)) for each in sums)
    return [(pair, *its) for pair, its in zip(order, ends, strict=True) if counts[pair]]


def _runs(pieces: Mapping[int, _Pieces]) -> Iterator[tuple[int, int, _Pieces]]:
    """Neighbouring cells that are drawn alike, as one: from which column to which."""
    # What is consecutive keeps its distance to its number.
    for (_, its), run in itertools.groupby(enumerate(pieces.items()), lambda each: (each[1][0] - each[0], each[1][1])):
        columns = [column for _, (column, _) in run]
        yield columns[0], columns[-1] + 1, its


def _points(recipe: Mapping[str, Any]) -> Iterator[Point]:
    """The recipe, each pair alone, and what else was measured."""
    kl = mapping(recipe, "measured").get("kl")
    bits, predicted = recipe["effective_bits"], recipe["predicted_kl"]
    yield Point("this recipe", bits, predicted, recipe["predicted_kl_ci95"], kl, is_recipe=True, is_ringed=True)
    rivals = {each["name"]: each for each in recipe["compared"] or ()}
    for pair, its in recipe["alone"].items():
        rival = rivals.pop(pair, {})
        yield Point(
            f"{pair} alone",
            its["effective_bits"],
            its["predicted_kl"],
            its["predicted_kl_ci95"],
            rival.get("kl") if math.isclose(rival.get("effective_bits", 0.0), its["effective_bits"]) else None,
            is_recipe=False,
        )
    for name, rival in rivals.items():
        yield Point(name, rival["effective_bits"], None, None, rival["kl"], is_recipe=False)
