"""`per-layer-sensitivity.svg`: what quantizing each group costs, along the depth of the model."""

from __future__ import annotations

import collections
import dataclasses
import textwrap
from typing import TYPE_CHECKING, Any

from auto_quantize_model.manifest.document import mapping
from auto_quantize_model.manifest.older import is_older
from auto_quantize_model.manifest.schema import RECIPE_SUFFIX
from auto_quantize_model.pictures.log_scale import log_scale
from auto_quantize_model.pictures.svg import Drawing, across, bar, box, cross, diamond, dot, ring
from auto_quantize_model.quoting import visible
from auto_quantize_model.reports import markdown
from auto_quantize_model.reports.doubtful import doubted
from auto_quantize_model.reports.headline import has_predicted_kl, pair_name, ranked, sentences
from auto_quantize_model.reports.quantities import engineering
from auto_quantize_model.reports.rows import rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from auto_quantize_model.reports.headline import Ranked

NAME = markdown.FIGURE

_WIDTH, _LEFT, _RIGHT = 600.0, 58.0, 588.0
_PLOT, _TITLE, _GAP, _LANE, _STRIP = 104.0, 20.0, 12.0, 16.0, 13.0
_LABELLED = 5
_MOST_TICKS = 16
_STRIP_NUMBERS_FROM = 15.0
_SHADES = 4
_CROWD = 3
"""More groups than these at one place, as experts may be, are drawn as the span of all and the costliest."""
_MOST_NAMED = 6
_LINE = 84
"""Letters."""
_LETTER = 7.2
"""About how wide one is."""


def render(manifest: Mapping[str, Any]) -> str:
    """The figure as text."""
    return _Figure(manifest).render()


@dataclasses.dataclass(frozen=True, slots=True)
class _Panel:
    """The groups of one kind, and where they are drawn."""

    kind: str
    groups: Sequence[Ranked]
    top: float
    lane: bool
    """Whether some of them have no place on the scale."""
    strip: bool

    @property
    def plot_top(self) -> float:
        return self.top + _TITLE

    @property
    def plot_end(self) -> float:
        return self.plot_top + _PLOT

    @property
    def end(self) -> float:
        return self.plot_end + 2 + _LANE * self.lane + _STRIP * self.strip


class _Figure:
    """One figure while it is drawn."""

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        layers = rows(manifest)
        self._manifest = manifest
        self._in_nats = has_predicted_kl(layers)
        self._groups = ranked(layers)
        self._doubted = {id(each.row) for each in self._groups if self._in_nats and _is_flagged(each.row, manifest)}
        self._labelled = [each for each in self._groups[:_LABELLED] if each.cost]
        measured = {each.place.kind for each in self._groups if each.cost is not None}
        self._drawn = [each for each in self._groups if each.place.depth is not None and each.place.kind in measured]
        depths = sorted({each.place.depth for each in self._drawn if each.place.depth is not None})
        self._columns = {depth: number for number, depth in enumerate(depths)}
        self._step = (_RIGHT - _LEFT) / max(len(depths), 1)
        self._scale = log_scale([value for each in self._groups for value in self._values(each)], _PLOT, 0)
        self._drawing = Drawing(_WIDTH, self._title(), self._description())

    def render(self) -> str:
        drawing = self._drawing
        drawing.text(_LEFT - 44, 26, self._title(), "h")
        unit = "KL if one group alone is quantized, in nats per token" if self._in_nats else "ModelOpt's score"
        drawing.text(_LEFT - 44, 46, f"{unit} (logarithmic); by layer of the model", "m s")
        top = self._legend(64) + 12
        for panel in self._panels(top):
            self._draw(panel)
            top = panel.end + _GAP
        top = self._depth_axis(top)
        for line in (part for text in self._outside() for part in textwrap.wrap(visible(text), _LINE)):
            top += 17
            drawing.text(_LEFT - 44, top, line, "s")
        return drawing.render(round(top + 14))

    def _title(self) -> str:
        case = mapping(self._manifest, "case")
        pair = pair_name(self._manifest)
        parts = [str(case["model"]), pair, str(case["size"])] if not is_older(self._manifest) else [pair]
        return " · ".join(parts)

    def _description(self) -> str:
        what = "Predicted KL" if self._in_nats else "Score"
        costliest = ", ".join(f"{each.place.label} {engineering(each.cost or 0.0)}" for each in self._labelled)
        return " ".join(
            [*sentences(self._manifest, self._groups), f"{what}, the costliest groups first: {costliest or 'none'}."]
        )

    def _values(self, group: Ranked) -> Iterator[float]:
        """All that a group puts on the scale."""
        if group.cost is not None:
            yield group.cost
            yield from self._interval(group) or ()
            yield group.row.get("measured_kl") or 0.0

    def _interval(self, group: Ranked) -> list[float] | None:
        interval: list[float] | None = group.row.get("predicted_kl_ci95" if self._in_nats else "ci95")
        return interval

    def _legend(self, y: float) -> float:
        """Samples of the marks that there are; returns the line of the last."""
        drawing, x = self._drawing, _LEFT - 40
        known = [each for each in self._groups if each.cost is not None]
        samples: list[tuple[Callable[[float, float], str], str, str]]
        samples = [(dot, "p dot", "predicted, with 95 % interval" if self._in_nats else "score, with interval")]
        if any(each.row.get("measured_kl") is not None for each in known):
            samples.append((diamond, "qf", "measured"))
        if self._doubted:
            samples.append((ring, "q thin", "to doubt"))
        if any(each.cost is None for each in self._drawn):
            samples.append((cross, "q thin", "not measured"))
        if self._has_bands():
            samples.append((_swatch, "b2", "band: order open within"))
        for shape, style, text in samples:
            if x + 11 + 6.5 * len(text) > _RIGHT:
                x, y = _LEFT - 40, y + 18
            drawing.path([shape(x, y - 4)], style)
            drawing.text(x + 11, y, text, "s")
            x += 30 + 6.6 * len(text)
        return y

    def _has_bands(self) -> bool:
        return any(each.row.get("tie_band") is not None for each in self._groups)

    def _panels(self, top: float) -> Iterator[_Panel]:
        kinds: dict[str, list[Ranked]] = collections.defaultdict(list)
        order = {name.removesuffix(RECIPE_SUFFIX): at for at, name in enumerate(self._manifest["layer_sensitivity"])}
        for group in sorted(self._drawn, key=lambda each: order[each.row["layer"]]):
            kinds[group.place.kind].append(group)
        for kind, groups in kinds.items():
            lane = any(not group.cost for group in groups)
            strip = any(group.row.get("tie_band") is not None for group in groups)
            panel = _Panel(kind, groups, top, lane, strip)
            yield panel
            top = panel.end + _GAP

    def _draw(self, panel: _Panel) -> None:
        drawing = self._drawing
        drawing.text(_LEFT, panel.top + 14, panel.kind, "b")
        share = self._share(panel)
        if share is not None:
            drawing.text(_RIGHT, panel.top + 14, share, "s m e")
        for place, tick in self._scale.ticks():
            drawing.path([across(_LEFT, panel.plot_top + place, _RIGHT)], "grid")
            drawing.text(_LEFT - 6, panel.plot_top + place + 4, tick, "s m e")
        drawing.path([across(_LEFT, panel.plot_end, _RIGHT)], "axis")
        self._marks(panel)
        self._not_on_the_scale(panel)
        self._bands(panel)
        self._labels(panel)

    def _share(self, panel: _Panel) -> str | None:
        whole = sum(each.cost or 0.0 for each in self._groups)
        return f"{sum(each.cost or 0.0 for each in panel.groups) / whole:.0%} of the sum" if whole else None

    def _marks(self, panel: _Panel) -> None:
        columns: dict[float, list[Ranked]] = collections.defaultdict(list)
        for group in sorted(panel.groups, key=lambda each: -(each.cost or 0.0)):
            if group.cost:
                columns[self._x(group)].append(group)
        intervals, dots, measured, rings = [], [], [], []
        for x, groups in columns.items():
            ends = [self._interval(group) or [group.cost or 0.0] * 2 for group in groups]
            if len(groups) > _CROWD:
                ends, groups = [[min(low for low, _ in ends), max(high for _, high in ends)]], groups[:1]  # noqa: PLW2901
            intervals += [bar(x, self._y(panel, low), self._y(panel, high)) for low, high in ends]
            for group in groups:
                y = self._y(panel, group.cost or 0.0)
                dots.append(dot(x, y))
                if group.row.get("measured_kl"):
                    measured.append(diamond(x, self._y(panel, group.row["measured_kl"])))
                if id(group.row) in self._doubted:
                    rings.append(ring(x, y))
        self._drawing.path(intervals, "p thin" if self._step > _LETTER else "p")
        self._drawing.path(dots, "p dot")
        self._drawing.path(measured, "qf")
        self._drawing.path(rings, "q thin")

    def _not_on_the_scale(self, panel: _Panel) -> None:
        """What has no number, and what has a zero, which a logarithmic scale has no place for."""
        if not panel.lane:
            return
        y = panel.plot_end + _LANE / 2 + 2
        without = {self._x(group): None for group in panel.groups if group.cost is None}
        self._drawing.path([cross(x, y) for x in without], "q thin")
        zeros = {self._x(group): None for group in panel.groups if group.cost == 0}
        for x in zeros:
            self._drawing.text(x, y + 4, "0", "s c")

    def _bands(self, panel: _Panel) -> None:
        """A strip of the groups' bands: shaded, and with their numbers where there is room."""
        if not panel.strip:
            return
        y, most = panel.end - _STRIP + 1, max(each.row.get("tie_band") or 1 for each in self._groups)
        banded = [group for group in panel.groups if group.row.get("tie_band") is not None]
        shades: dict[int, dict[str, None]] = collections.defaultdict(dict)
        for group in banded:
            shade = (_SHADES - 1) * (group.row["tie_band"] - 1) // max(most - 1, 1)
            shades[shade][box(self._x(group) - self._step / 2, y, self._step, _STRIP - 1)] = None
        for shade, parts in sorted(shades.items()):
            self._drawing.path(parts, f"b{shade}")
        if self._step >= _STRIP_NUMBERS_FROM:
            for x, band in dict.fromkeys((self._x(group), group.row["tie_band"]) for group in banded):
                self._drawing.text(x, y + 10, str(band), "s c")
        self._drawing.text(_LEFT - 6, y + 10, "band", "s m e")

    def _labels(self, panel: _Panel) -> None:
        """Names of the costliest, beside their dots, where they cover neither dots nor each other."""
        taken = [
            (self._x(each) - 5, self._y(panel, each.cost) - 5, self._x(each) + 5, self._y(panel, each.cost) + 5)
            for each in panel.groups
            if each.cost
        ]
        for group in self._labelled:
            if group.place.kind != panel.kind or group.place.depth is None:
                continue
            x, y = self._x(group), self._y(panel, group.cost or 0.0)
            for text in (f"layer {group.place.depth}", str(group.place.depth)):
                width = _LETTER * len(text)
                places = [(x + 9, y + 4), (x - 9 - width, y + 4), (x - width / 2, y - 10), (x - width / 2, y + 20)]
                place = next((each for each in places if _is_free(each, width, taken, panel)), None)
                if place is not None:
                    taken.append((place[0], place[1] - 12, place[0] + width, place[1] + 2))
                    self._drawing.text(*place, text, "l")
                    break

    def _depth_axis(self, top: float) -> float:
        """The numbers of the layers below the last panel; returns where the axis ends."""
        if not self._columns:
            return top
        step = next(each for each in (1, 2, 5, 10, 20, 50, 100, 10**6) if len(self._columns) / each <= _MOST_TICKS)
        for number, depth in enumerate(self._columns):
            if number % step == 0:
                self._drawing.text(self._at(number), top + 2, str(depth), "s m c")
        self._drawing.text(_LEFT - 6, top + 2, "layer", "s m e")
        return top + 4

    def _outside(self) -> Iterator[str]:
        """What stands in no layer: with its cost, or with why there is none."""
        told = []
        for group in self._groups:
            if group.place.depth is None:
                what = group.row.get("status") or "not measured"
                shown = what.replace("_", " ") if group.cost is None else engineering(group.cost)
                told.append(f"{group.place.kind}: {shown}")
        if told:
            more = f" and {len(told) - _MOST_NAMED} more" if len(told) > _MOST_NAMED else ""
            yield f"Outside the layers: {'; '.join(told[:_MOST_NAMED])}{more}"
        crowds = collections.Counter((each.place.kind, each.place.depth) for each in self._drawn)
        if crowds and max(crowds.values()) > _CROWD:
            yield f"Where a layer has more than {_CROWD} groups of a kind: the costliest, and the span of all"
        missing = collections.Counter(
            (group.place.kind, str(group.row.get("status") or "unknown").replace("_", " "))
            for group in self._groups
            if group.place.depth is not None and group.cost is None
        )
        if missing:
            most = missing.most_common(_MOST_NAMED)
            more = f" and {len(missing) - _MOST_NAMED} more kinds" if len(missing) > _MOST_NAMED else ""
            yield "Not measured: " + ", ".join(f"{kind} {count}x ({status})" for (kind, status), count in most) + more

    def _x(self, group: Ranked) -> float:
        return self._at(self._columns[group.place.depth or 0])

    def _at(self, column: int) -> float:
        return _LEFT + (column + 0.5) * self._step

    def _y(self, panel: _Panel, value: float) -> float:
        return panel.plot_top + self._scale.at(value)


def _is_flagged(row: Mapping[str, Any], manifest: Mapping[str, Any]) -> bool:
    """The predictions of the first schema are another estimate, of which nobody knows when to doubt it."""
    return row.get("status") == "saturated" or ("measured" in manifest and bool(doubted(row)))


def _is_free(
    place: tuple[float, float], width: float, taken: Sequence[tuple[float, float, float, float]], panel: _Panel
) -> bool:
    left, top, right, bottom = place[0], place[1] - 12, place[0] + width, place[1] + 2
    inside = left >= _LEFT and right <= _WIDTH and top >= panel.top + _TITLE - 6 and bottom <= panel.plot_end
    return inside and not any(
        left < its_right and right > its_left and top < its_bottom and bottom > its_top
        for its_left, its_top, its_right, its_bottom in taken
    )


def _swatch(x: float, y: float) -> str:
    return box(x - 6, y - 5, 12, 10)
