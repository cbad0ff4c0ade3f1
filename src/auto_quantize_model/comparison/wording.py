"""A comparison in words: one line for a summary, a few for someone who must decide what a difference means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auto_quantize_model.reports.aligned_table import aligned_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auto_quantize_model.comparison.causes import Cause
    from auto_quantize_model.comparison.compare import Comparison, GroupChange

_MOST_CAUSES = 3
_MOST_DIFFERENCES = 6
_MOST_OF_A_CAUSE = 3
_MOST_GROUPS = 5
_MOST_EXAMPLES = 2
_READABLE = (1e-3, 1e4)
"""Ratios between these are shown with three decimals, others in scientific notation."""


def summary(comparison: Comparison) -> str:
    """The verdict and what decided it, in one line."""
    return f"{comparison.verdict}: {', '.join(_reasons(comparison))}"


def describe(comparison: Comparison) -> Iterator[str]:
    """The lines of a report of a comparison; the first is the summary."""
    yield summary(comparison)
    yield from reasons(comparison)
    if comparison.total_old != comparison.total_new:
        yield _total_line(comparison)
    yield from _group_table(comparison)


def reasons(comparison: Comparison) -> Iterator[str]:
    """What may be the cause, what came out otherwise, what was not compared, and the tolerances that held."""
    yield from _cause_lines(comparison)
    if comparison.outcomes:
        yield "  came out otherwise:"
        yield from _first_few([f"    {each}" for each in comparison.outcomes])
    if comparison.unmeasured:
        yield f"  not measured, and only one has them: {_examples(comparison.unmeasured)}"
    if comparison.unstated:
        yield f"  not compared, for only one of the two states it: {', '.join(comparison.unstated)}"
    if comparison.redefined:
        yield f"  not compared, for the schemas' versions estimate it differently: {', '.join(comparison.redefined)}"
    if comparison.verdict != "identical":
        band = comparison.band
        yield f"  tolerances: {band.group:g} a group, {band.total:g} in total ({band.name}: {band.reason})"


def shown_ratio(ratio: float | None) -> str:
    """A ratio as tables show it."""
    if ratio is None:
        return "n/a"
    least, most = _READABLE
    return f"x{ratio:.3f}" if least <= abs(ratio) < most else f"x{ratio:.3e}"


def worst_by_group(changes: Sequence[GroupChange]) -> list[GroupChange]:
    """Of changes in order, the first of each group."""
    worst: dict[str, GroupChange] = {}
    for change in changes:
        worst.setdefault(change.group, change)
    return list(worst.values())


def _reasons(comparison: Comparison) -> Iterator[str]:
    """What decided, each with the foremost example."""
    band, drifted, worst = comparison.band, comparison.drifted_groups, comparison.worst
    if comparison.verdict == "identical":
        partly = comparison.unstated or comparison.redefined
        yield "every score that both state is the same" if partly else "every score is the same"
    if comparison.verdict == "within_noise":
        yield f"no group moved by more than {band.group:.3g} of its number"
    if comparison.verdict == "incomparable":
        yield f"not of the same thing: {_deciding_causes(comparison)}"
    elif comparison.outcomes:
        yield f"{count_of(len(comparison.outcomes), 'outcome')} not as before ({comparison.outcomes[0]})"
    if drifted and worst is not None:
        yield (
            f"the magnitude of {count_of(len(drifted), 'group')} beyond the tolerance of {band.group:.3g} "
            f"({worst.group} {shown_ratio(worst.ratio)})"
        )
    if not comparison.total_within:
        yield f"the total beyond the tolerance of {band.total:.3g} ({shown_ratio(comparison.total_ratio)})"


def _deciding_causes(comparison: Comparison) -> str:
    """The causes among what went in; a case that only bears another name has none."""
    deciding = [cause for cause in comparison.causes if cause.differences[0] in comparison.inputs]
    if not deciding:
        return str(comparison.inputs[0])
    more = len(deciding) - _MOST_CAUSES
    return "; ".join(map(str, deciding[:_MOST_CAUSES])) + (f"; and {more} more" if more > 0 else "")


def _cause_lines(comparison: Comparison) -> Iterator[str]:
    if comparison.verdict == "identical":
        return
    if comparison.causes:
        yield "  what differs, the most likely cause first:"
        for number, cause in enumerate(comparison.causes, start=1):
            yield from _one_cause(number, cause)
    elif comparison.verdict == "drift":
        yield "  nothing that both manifests state differs: the code does, or one of them was edited"


def _one_cause(number: int, cause: Cause) -> Iterator[str]:
    first, *others = cause.differences
    yield f"    {number}. {cause.what}: {first}"
    yield from _first_few([f"         {each}" for each in others], _MOST_OF_A_CAUSE)


def _examples(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_EXAMPLES])
    return shown if len(names) <= _MOST_EXAMPLES else f"{shown} and {len(names) - _MOST_EXAMPLES} more"


def count_of(number: int, noun: str) -> str:
    """So many of something, in the singular where it is one."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _first_few(lines: Sequence[str], most: int = _MOST_DIFFERENCES) -> Iterator[str]:
    yield from lines[:most]
    if len(lines) > most:
        indent = lines[0][: len(lines[0]) - len(lines[0].lstrip())]
        yield f"{indent}... and {len(lines) - most} more"


def _group_table(comparison: Comparison) -> Iterator[str]:
    """The groups that moved most, each with the one of its numbers that moved most; those within only if all are."""
    worst = worst_by_group([each for each in comparison.moved if not (each.within and comparison.drifted_groups)])
    if not worst:
        return
    shown = worst[:_MOST_GROUPS]
    cells = [
        ("group", "measure", "old", "new", "ratio"),
        *((each.group, each.measure, f"{each.old:.4e}", f"{each.new:.4e}", shown_ratio(each.ratio)) for each in shown),
    ]
    yield from (f"  {line}" for line in aligned_table(cells))
    if len(worst) > len(shown):
        yield f"  ... and {len(worst) - len(shown)} more"


def _total_line(comparison: Comparison) -> str:
    totals = (comparison.total_old, comparison.total_new)
    old, new = ("none" if each is None else f"{each:.4e}" for each in totals)
    ratio, tolerance = shown_ratio(comparison.total_ratio), f"{comparison.band.total:.3g}"
    return f"  total score: {old} -> {new} ({ratio}, tolerance {tolerance})"
