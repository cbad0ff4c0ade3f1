"""The Markdown report's table of the groups that matter: the costliest, in units that a person can compare."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING

from auto_quantize_model import quoting
from auto_quantize_model.reports.doubtful import doubted
from auto_quantize_model.reports.headline import has_predicted_kl
from auto_quantize_model.reports.markdown_table import markdown_table_without_ends
from auto_quantize_model.reports.quantities import NOTHING, unit_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from auto_quantize_model.reports.headline import Ranked

SHOWN = 10
_KL = "nat per token"


def lines(groups: Sequence[Ranked], *, doubts: bool, chosen: Mapping[str, bool]) -> Iterator[str]:
    """The table, with what its columns mean below it; nothing where no group has a number.

    `chosen` says of each group whether the search quantizes it. Predictions are doubted where `doubts` says so.
    """
    first = [group for group in groups if group.cost is not None][:SHOWN]
    if not first:
        return
    columns = _columns(groups, first, doubts=doubts, chosen=chosen)
    cells = [[show(group) for show in columns.values()] for group in first]
    kept = [at for at in range(len(columns)) if any(row[at] != NOTHING for row in cells)]
    yield from markdown_table_without_ends(
        [list(columns)[at] for at in kept], ([row[at] for at in kept] for row in cells)
    )
    left = len([group for group in groups if group.cost is not None]) - len(first)
    if left:
        yield ""
        yield f"And {left} more that cost less, in the table at the end."


def _columns(
    groups: Sequence[Ranked], first: Sequence[Ranked], *, doubts: bool, chosen: Mapping[str, bool]
) -> dict[str, Callable[[Ranked], str]]:
    """What is shown of a group, by title; a column of which nothing is known is left out."""
    in_nats = has_predicted_kl([group.row for group in groups])
    unit = unit_for(first[0].cost or 0.0)
    whole = sum(group.cost or 0.0 for group in groups)
    bands = collections.Counter(group.row.get("tie_band") for group in groups)
    what, measure = ("Predicted KL", f"{unit.symbol}{_KL}") if in_nats else ("Score", f"{unit.size:g}")
    interval = "predicted_kl_ci95" if in_nats else "ci95"

    def order(group: Ranked) -> str:
        band = group.row.get("tie_band")
        if band is None:
            return NOTHING
        return "settled" if bands[band] == 1 else f"open among {bands[band]}"

    def note(group: Ranked) -> str:
        told = doubted(group.row) if doubts else []
        return ", ".join([*(["saturated"] if group.row.get("status") == "saturated" else []), *told])

    columns: dict[str, Callable[[Ranked], str]] = {
        "Group": lambda group: quoting.markdown(group.place.label),
        f"{what}, {measure}": lambda group: unit.show(group.cost),
        "95 % interval": lambda group: unit.show_interval(group.row.get(interval)),
        f"Measured KL, {unit.symbol}{_KL}": lambda group: unit.show(group.row.get("measured_kl")),
        "Share": lambda group: f"{(group.cost or 0.0) / whole:.0%}" if whole else NOTHING,
        "From weights, activations": lambda group: _split(group.row.get("split")),
        "Order by score": order,
    }
    if not all(chosen.get(group.row["layer"], True) for group in groups if group.cost is not None):
        columns["Quantized"] = lambda group: "yes" if chosen.get(group.row["layer"], True) else "no"
    if any(note(group) for group in first):
        columns["To doubt"] = lambda group: note(group) or "no"
    return columns


def _split(split: Mapping[str, float | None] | None) -> str:
    """The larger parts of a score; what both do together is in the whole table."""
    weights, activations = (None if split is None else split.get(each) for each in ("weights", "activations"))
    if split is None or weights is None or activations is None or weights + activations <= 0:
        return NOTHING
    return f"{weights / (weights + activations):.0%}, {activations / (weights + activations):.0%}"
