"""How a case's record travels from a test, in a worker perhaps, to the controller: in the reports of the test."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from auto_quantize_model.summary.record import Record

if TYPE_CHECKING:
    import pytest

PROPERTY = "sensitivity"


def attach(record: Record, item: pytest.Item) -> None:
    """Put a record as it is now among the properties of a test's next report, as text: that crosses processes."""
    values = dataclasses.asdict(record)
    # That is for the reports to say, and none has been made yet.
    del values["outcome"]
    item.user_properties[:] = [pair for pair in item.user_properties if not pair[0].startswith(PROPERTY)]
    item.user_properties.append((PROPERTY, json.dumps(values)))
    # pytest's JUnit file has them too, where who reads it looks for a number and not for JSON.
    kl = record.total_predicted_kl if record.measured_kl is None else record.measured_kl
    shown = {"verdict": record.verdict, "kl": kl, "costliest": next(iter(record.costliest), None)}
    shown["moved_most"] = record.worst_group
    item.user_properties += [(f"{PROPERTY}_{name}", value) for name, value in shown.items() if value is not None]


def record_of(report: pytest.TestReport) -> Record | None:
    """The record that a report carries."""
    for name, value in report.user_properties:
        if name == PROPERTY:
            values: dict[str, Any] = json.loads(str(value))
            return Record(**values)
    return None
