"""A comparison of two sources as Markdown and as JSON: every case, and every number that both have."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from auto_quantize_model import quoting
from auto_quantize_model.comparison.differences import ABSENT
from auto_quantize_model.comparison.wording import reasons, shown_ratio, summary
from auto_quantize_model.manifest.document import dumps
from auto_quantize_model.quoting import code, visible
from auto_quantize_model.reports.markdown_table import markdown_table
from auto_quantize_model.reports.rows import short_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from auto_quantize_model.comparison.compare import Comparison, GroupChange
    from auto_quantize_model.comparison.differences import Difference
    from auto_quantize_model.comparison.side_by_side import ComparedCase, SideBySide

COMPARISON_VERSION = 1
OVERVIEW = ("Case", "Verdict", "Total A", "Total B", "B / A", "Moved most", "B / A", "Spearman")
GROUPS = ("Group", "Measure", "A", "B", "B / A", "Within")

_NOTHING = "n/a"


def markdown(sides: SideBySide) -> str:
    """The comparison for people: an overview where there are several cases, then each that is not identical."""
    return "".join(f"{line}\n" for line in _lines(sides))


def json_text(sides: SideBySide) -> str:
    """The comparison for machines."""
    return dumps(
        {
            "comparison_version": COMPARISON_VERSION,
            "a": sides.old,
            "b": sides.new,
            "verdict": sides.verdict,
            "cases": [_document(case) for case in sides.cases],
            "only_a": list(sides.only_old),
            "only_b": list(sides.only_new),
        }
    )


def overview_row(case: ComparedCase) -> tuple[str, ...]:
    """The cells of a case in an overview."""
    comparison, worst = case.comparison, case.comparison.worst
    return (
        case.name,
        comparison.verdict,
        shown_number(comparison.total_old),
        shown_number(comparison.total_new),
        shown_ratio(comparison.total_ratio),
        "-" if worst is None else short_name(worst.group),
        "-" if worst is None else shown_ratio(worst.ratio),
        _NOTHING if case.spearman is None else f"{case.spearman:.4f}",
    )


def group_row(change: GroupChange) -> tuple[str, ...]:
    """The cells of one number of a group."""
    numbers = (shown_number(change.old), shown_number(change.new), shown_ratio(change.ratio))
    return (change.group, change.measure, *numbers, "yes" if change.within else "no")


def shown_number(value: float | None) -> str:
    """A number as tables show it."""
    return _NOTHING if value is None else f"{value:.4e}"


def spearman_line(case: ComparedCase) -> str | None:
    """How alike the order of the groups is, for information: it decides nothing."""
    if case.spearman is None:
        return None
    return f"Spearman's correlation of the two: {case.spearman:.4f} (for information; it decides nothing)"


def _lines(sides: SideBySide) -> Iterator[str]:
    yield "# Comparison"
    yield ""
    yield f"- **A:** {code(sides.old)}"
    yield f"- **B:** {code(sides.new)}"
    yield f"- **Verdict:** {sides.verdict}"
    for name, lone in (("A", sides.only_old), ("B", sides.only_new)):
        if lone:
            yield f"- **Only in {name}:** {', '.join(map(code, lone))}"
    if len(sides.cases) > 1:
        yield ""
        yield from markdown_table(OVERVIEW, map(_quoted, map(overview_row, sides.cases)))
    for case in sides.cases:
        if len(sides.cases) == 1 or case.comparison.verdict != "identical":
            yield ""
            yield from _section(case)


def _section(case: ComparedCase) -> Iterator[str]:
    comparison = case.comparison
    yield f"## {quoting.markdown(case.name)}"
    yield ""
    yield quoting.markdown(summary(comparison))
    because = list(reasons(comparison))
    if because:
        yield ""
        yield "```text"
        # No line can end the block: those of a comparison begin with two blanks.
        yield from map(visible, because)
        yield "```"
    yield ""
    totals = (shown_number(comparison.total_old), shown_number(comparison.total_new))
    yield f"- **Total score:** {totals[0]} -> {totals[1]} ({shown_ratio(comparison.total_ratio)})"
    spearman = spearman_line(case)
    if spearman is not None:
        yield f"- {spearman}"
    yield ""
    yield from markdown_table(GROUPS, map(_quoted, map(group_row, comparison.groups)))


def _quoted(cells: Iterable[str]) -> list[str]:
    return [quoting.markdown(cell) for cell in cells]


def _document(case: ComparedCase) -> dict[str, Any]:
    comparison = case.comparison
    return {
        "a": case.old,
        "b": case.new,
        "verdict": comparison.verdict,
        "summary": summary(comparison),
        "tolerances": dataclasses.asdict(comparison.band),
        "causes": [
            {"cause": cause.what, "differences": [_difference(each) for each in cause.differences]}
            for cause in comparison.causes
        ],
        "inputs": [_difference(each) for each in comparison.inputs],
        "outcomes": [_difference(each) for each in comparison.outcomes],
        "only_one_states": list(comparison.unstated),
        "not_measured": list(comparison.unmeasured),
        "total": _numbers(comparison.total_old, comparison.total_new, comparison.total_ratio),
        "total_within": comparison.total_within,
        "spearman": case.spearman,
        "groups": _groups(comparison),
    }


def _groups(comparison: Comparison) -> list[dict[str, Any]]:
    return [
        {
            "group": each.group,
            "measure": each.measure,
            **_numbers(each.old, each.new, each.ratio),
            "within": each.within,
        }
        for each in comparison.groups
    ]


def _numbers(old: float | None, new: float | None, ratio: float | None) -> dict[str, float | None]:
    return {"a": _finite(old), "b": _finite(new), "ratio": ratio}


def _finite(value: float | None) -> float | None:
    """JSON has no infinity, which a number too large to read becomes."""
    return value if value is not None and math.isfinite(value) else None


def _difference(difference: Difference) -> dict[str, Any]:
    """A difference; what one of the two does not have is left out."""
    values = {"a": difference.old, "b": difference.new}
    return {"key": difference.key, **{name: value for name, value in values.items() if value is not ABSENT}}
