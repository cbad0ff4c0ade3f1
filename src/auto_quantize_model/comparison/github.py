"""A comparison as a comment of a pull request: what moved, as little as decides, everything else folded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auto_quantize_model.comparison.wording import count_of, reasons, shown_ratio, summary, worst_by_group
from auto_quantize_model.quoting import code, markdown, visible
from auto_quantize_model.reports.markdown_table import markdown_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auto_quantize_model.comparison.side_by_side import ComparedCase, SideBySide

LARGEST = 60_000
"""GitHub takes comments of 65,536 letters."""
_MOST_GROUPS = 5
_FINE = ("identical", "within_noise")
_COLUMNS = ("Case", "Verdict", "Total score", "Moved most")


def comment(sides: SideBySide) -> str:
    """The comment; cases that would make it too long for GitHub are only counted."""
    moved = [case for case in sides.cases if case.comparison.verdict not in _FINE]
    text = "".join(f"{line}\n" for line in _head(sides, moved))
    for number, case in enumerate(moved):
        section = "".join(f"{line}\n" for line in _section(case))
        if len(text) + len(section) > LARGEST:
            return f"{text}\nAnd {count_of(len(moved) - number, 'more case')}, left out here for their length.\n"
        text += section
    return text


def _head(sides: SideBySide, moved: list[ComparedCase]) -> Iterator[str]:
    total = len(sides.cases)
    what = f"{len(moved)} of {total} cases moved" if moved else f"none of {total} cases moved beyond noise"
    yield f"### Quantization sensitivity: {what}"
    yield ""
    yield f"From {code(sides.old)} to {code(sides.new)}."
    for name, lone in ((sides.old, sides.only_old), (sides.new, sides.only_new)):
        if lone:
            yield f"Only in {code(name)}: {count_of(len(lone), 'case')}."
    if moved:
        yield ""
        yield from markdown_table(_COLUMNS, map(_row, moved[:200]))


def _row(case: ComparedCase) -> Iterator[str]:
    comparison, worst = case.comparison, case.comparison.worst
    yield markdown(case.name)
    yield f"**{comparison.verdict}**"
    yield shown_ratio(comparison.total_ratio)
    yield "n/a" if worst is None else f"{shown_ratio(worst.ratio)} {markdown(worst.group)}"


def _section(case: ComparedCase) -> Iterator[str]:
    yield ""
    yield "<details>"
    yield f"<summary>{markdown(case.name)}</summary>"
    yield ""
    yield markdown(summary(case.comparison))
    because = list(reasons(case.comparison))
    if because:
        yield ""
        yield "```text"
        # No line can end the block: those of a comparison begin with two blanks.
        yield from map(visible, because)
        yield "```"
    groups = worst_by_group(case.comparison.moved)[:_MOST_GROUPS]
    if groups:
        yield ""
        rows = ((markdown(each.group), each.measure, shown_ratio(each.ratio)) for each in groups)
        yield from markdown_table(("Group", "Number", "B / A"), rows)
    yield ""
    yield "</details>"
