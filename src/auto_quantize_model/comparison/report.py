"""A comparison of two sources as Markdown and as JSON: every case, and every number that both have."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from auto_quantize_model.comparison.differences import ABSENT
from auto_quantize_model.comparison.wording import reasons, shown_ratio, summary
from auto_quantize_model.manifest.document import dumps
from auto_quantize_model.reports.rows import short_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
    yield f"- **A:** `{sides.old}`"
    yield f"- **B:** `{sides.new}`"
    yield f"- **Verdict:** {sides.verdict}"
    for name, lone in (("A", sides.only_old), ("B", sides.only_new)):
        if lone:
            yield f"- **Only in {name}:** {', '.join(f'`{each}`' for each in lone)}"
    if len(sides.cases) > 1:
        yield ""
        yield from _table(OVERVIEW, [overview_row(case) for case in sides.cases])
    for case in sides.cases:
        if len(sides.cases) == 1 or case.comparison.verdict != "identical":
            yield ""
            yield from _section(case)


def _section(case: ComparedCase) -> Iterator[str]:
    comparison = case.comparison
    yield f"## {case.name}"
    yield ""
    yield summary(comparison)
    found = list(reasons(comparison))
    if found:
        yield ""
        yield "```text"
        yield from found
        yield "```"
    yield ""
    totals = (shown_number(comparison.total_old), shown_number(comparison.total_new))
    yield f"- **Total score:** {totals[0]} -> {totals[1]} ({shown_ratio(comparison.total_ratio)})"
    spearman = spearman_line(case)
    if spearman is not None:
        yield f"- {spearman}"
    yield ""
    yield from _table(GROUPS, [group_row(change) for change in comparison.groups])


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield "|" + "|".join(titles) + "|"
    yield "|" + " :--- |" * len(titles)
    for row in rows:
        yield "|" + "|".join(row) + "|"


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
