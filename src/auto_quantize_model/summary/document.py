"""The records of a session or a run as a document for machines."""

from __future__ import annotations

import collections
import dataclasses
import json
from typing import TYPE_CHECKING, Any

from auto_quantize_model.whole_files import write_files

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from auto_quantize_model.summary.record import Record

SUMMARY_VERSION = 1


def summary_document(records: Iterable[Record], output: Path) -> dict[str, Any]:
    """One record a case, and how many had each outcome."""
    cases = list(records)
    return {
        "summary_version": SUMMARY_VERSION,
        "output": str(output) if any(record.artifacts for record in cases) else None,
        "totals": dict(collections.Counter(record.outcome for record in cases)),
        "cases": [dataclasses.asdict(record) for record in cases],
    }


def write_summary(file: Path, records: Iterable[Record], output: Path) -> None:
    """Write the document."""
    document = summary_document(records, output)
    write_files(file.parent, {file.name: json.dumps(document, indent=2, allow_nan=False) + "\n"})
