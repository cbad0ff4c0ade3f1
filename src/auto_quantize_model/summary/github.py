"""What GitHub shows of a session that runs in one of its jobs: annotations, and the job's summary."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from auto_quantize_model.quoting import code, markdown, visible
from auto_quantize_model.reports.markdown_table import markdown_table
from auto_quantize_model.reports.quantities import nats
from auto_quantize_model.summary.learned import ratio, verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from auto_quantize_model.summary.record import Record

_MOST_ANNOTATIONS = 10
"""GitHub shows no more of a kind for one step."""
_COLUMNS = ("Case", "Verdict", "Bits", "KL per token", "Costliest first", "Moved most")
_ROWS = 500
"""A job's summary may be a mebibyte."""


def error_commands(records: Iterable[Record], environment: Mapping[str, str] = os.environ) -> Iterator[str]:
    """A workflow command for each case that failed, where GitHub runs the session."""
    if environment.get("GITHUB_ACTIONS") != "true":
        return
    failed = [record for record in records if record.outcome in ("failed", "error")]
    for record in failed[:_MOST_ANNOTATIONS]:
        message = record.reason or f"{record.case}: {record.verdict}"
        yield f"::error title={_property(f'{record.case}: {record.verdict}')}::{_message(message)}"


def append_job_summary(records: Iterable[Record], environment: Mapping[str, str] = os.environ) -> str | None:
    """Add a table of the cases to the job's summary, where there is one; what went wrong, if anything did."""
    file, cases = environment.get("GITHUB_STEP_SUMMARY"), list(records)
    if not file or not cases:
        return None
    text = "".join(f"{line}\n" for line in summary_lines(cases))
    try:
        with Path(file).open("a", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        return f"{file}: the job's summary cannot be written: {error.strerror}"
    return None


def summary_lines(records: Sequence[Record]) -> Iterator[str]:
    """Markdown: every case with its cost, what failed first."""
    ordered = sorted(records, key=lambda record: record.outcome not in ("failed", "error"))
    failed = sum(record.outcome in ("failed", "error") for record in records)
    yield f"### Quantization sensitivity: {failed} of {len(records)} cases failed"
    yield ""
    yield from markdown_table(_COLUMNS, map(_row, ordered[:_ROWS]))
    yield ""


def _row(record: Record) -> Iterator[str]:
    kl = record.total_predicted_kl if record.measured_kl is None else record.measured_kl
    yield markdown(record.case)
    yield markdown(verdict(record))
    yield "n/a" if record.bits is None else f"{record.bits:g}"
    yield "n/a" if kl is None else nats(kl)
    yield markdown(", ".join(record.costliest[:3])) or "n/a"
    yield "n/a" if record.worst_group is None else f"{ratio(record.worst_ratio)} {code(record.worst_group)}"


def _message(text: str) -> str:
    """One line that ends no command: GitHub decodes the percent signs again."""
    return visible(text).replace("%", "%25")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
