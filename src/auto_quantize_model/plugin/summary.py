"""What the terminal shows at the end of a session: what was learned, or every number, and the totals."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING

from auto_quantize_model.options import VERBOSE
from auto_quantize_model.paths import display_path, shortened
from auto_quantize_model.reports.aligned_table import aligned_table
from auto_quantize_model.reports.rows import short_name
from auto_quantize_model.summary.coverage import coverage_lines
from auto_quantize_model.summary.learned import learned, ratio, verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from auto_quantize_model.summary.record import Record

_MEASURED = "measured KL"
_HEADINGS = ("case", "verdict", "predicted KL", _MEASURED, "most sensitive group", "total", "moved most", "seconds")
_RIGHT = ("predicted KL", _MEASURED, "total", "seconds")
_NOTHING = "-"
_LONGEST_REASON = 200


def summary_lines(
    records: Iterable[Record], output: Path, problems: Sequence[str], *, verbose: bool, blocks: bool
) -> Iterator[str]:
    """The lines of the terminal's section; `blocks` is whether it can show a bar of blocks."""
    cases = list(records)
    ran = [record for record in cases if not _was_skipped(record)]
    yield from _table(ran) if verbose else learned(ran, VERBOSE.pytest_flag, blocks=blocks)
    yield from _skipped(cases)
    yield _totals(cases)
    yield from _passes(cases)
    yield from coverage_lines((record.model, record.coverage) for record in cases)
    yield from _published(cases)
    if any(record.artifacts for record in cases):
        yield f"artifacts: {display_path(output)}"
    for problem in problems:
        yield f"error: {problem}"


def _was_skipped(record: Record) -> bool:
    """Whether nothing ran; a case that drifts in a test that is expected to fail did run."""
    return record.outcome == "skipped" and record.artifacts is None


def _table(ran: Sequence[Record]) -> Iterator[str]:
    """One line a case; what no case measured has no column."""
    measured = any(record.measured_kl is not None for record in ran)
    shown = [heading for heading in _HEADINGS if measured or heading != _MEASURED]
    rows = [[cell for heading, cell in zip(_HEADINGS, _row(each), strict=True) if heading in shown] for each in ran]
    yield from aligned_table([shown, *rows] if rows else [], tuple(map(shown.index, set(_RIGHT) & set(shown))))


def _row(record: Record) -> tuple[str, ...]:
    return (
        record.case,
        verdict(record),
        _scientific(record.total_predicted_kl),
        _scientific(record.measured_kl),
        short_name(record.most_sensitive_group or _NOTHING),
        ratio(record.total_ratio),
        _NOTHING if record.worst_group is None else f"{ratio(record.worst_ratio)} {short_name(record.worst_group)}",
        f"{record.seconds:.2f}",
    )


def _scientific(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.3e}"


def _skipped(records: Iterable[Record]) -> Iterator[str]:
    reasons = collections.Counter(
        (record.model, record.reason or "by its test") for record in records if _was_skipped(record)
    )
    for (model, reason), count in reasons.items():
        yield f"{model}: {count} case{'s' * (count != 1)} skipped: {reason}"


def _totals(records: Sequence[Record]) -> str:
    counts = collections.Counter("skipped" if _was_skipped(record) else record.verdict for record in records)
    parts = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    return f"{len(records)} case{'s' * (len(records) != 1)}: {parts}"


def _passes(records: Iterable[Record]) -> Iterator[str]:
    passes: dict[str, list[Record]] = {}
    for record in records:
        if record.pass_seconds is not None:
            passes.setdefault(record.model, []).append(record)
    for model, triggers in passes.items():
        seconds = ", ".join(f"{record.pass_seconds:.1f} s" for record in triggers)
        if len(triggers) == 1:
            yield f"{model}: one pass, {seconds}"
        elif all(record.pass_shared for record in triggers):
            yield f"{model}: one pass, shared by {len(triggers)} workers ({seconds})"
        else:
            yield (
                f"{model}: {len(triggers)} workers each ran the pass ({seconds}); "
                "--dist loadgroup keeps a model's cases on one worker"
            )


def _published(records: Sequence[Record]) -> Iterator[str]:
    counts = collections.Counter(record.published for record in records if record.published)
    if counts:
        yield "published: " + ", ".join(f"{count} {action}" for action, count in counts.items())
    for record in records:
        if record.published in ("updated", "re-rendered"):
            yield f"  {record.case}: {_one_line(record.reason or '')}"


def _one_line(reason: str) -> str:
    short = shortened(reason)
    return short if len(short) <= _LONGEST_REASON else f"{short[:_LONGEST_REASON]}..."
