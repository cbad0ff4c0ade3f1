"""What the summary says of a case, and how it travels from a test, in a worker perhaps, to the controller."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest

from auto_quantize_model.plugin.collection import case_of

if TYPE_CHECKING:
    from auto_quantize_model.plugin.case_run import CaseRun
    from auto_quantize_model.plugin.collection import SuiteCase

PROPERTY = "sensitivity"
NOT_RUN = "not run"
CASE_RUN: pytest.StashKey[CaseRun] = pytest.StashKey()
PASSED: pytest.StashKey[bool] = pytest.StashKey()


@dataclasses.dataclass(slots=True)
class Record:
    """One case of one session; pessimistic until something good is known."""

    case: str
    model: str
    pair: str
    size: str
    suite: str
    verdict: str = NOT_RUN
    """The comparison's; or `new`, `not compared`, `regenerated`, `failed`, `skipped`."""
    outcome: str = NOT_RUN
    """The test's: `passed`, `failed`, `error`, `skipped`; `not run` where it was interrupted."""
    reason: str | None = None
    total_score: float | None = None
    total_predicted_kl: float | None = None
    most_sensitive_group: str | None = None
    total_ratio: float | None = None
    """The total score, as a multiple of the baseline's."""
    worst_group: str | None = None
    """The group that moved most against the baseline."""
    worst_ratio: float | None = None
    published: str | None = None
    """`created`, `updated`, `mended`, `unchanged`; None where nothing was published."""
    artifacts: str | None = None
    seconds: float = 0.0
    """What the case itself took, beside the pass that it shares."""
    pass_seconds: float | None = None
    """What the model's pass took, at the case that triggered it."""
    worker: str | None = None


def new_record(each: SuiteCase, worker: str | None) -> Record:
    """The record of a case of which nothing is known yet."""
    case = each.case
    return Record(
        case=case.id,
        model=case.model.name,
        pair=case.pair.name,
        size=case.size,
        suite=str(each.suite.path),
        worker=worker,
    )


def attach(item: pytest.Item) -> None:
    """Put the record as it is now among the properties of the test's next report, as text: that crosses processes."""
    each = case_of(item)
    if each is None:
        return
    run = item.stash.get(CASE_RUN, None)
    found = run.record if run is not None else new_record(each, None)
    item.user_properties[:] = [pair for pair in item.user_properties if pair[0] != PROPERTY]
    item.user_properties.append((PROPERTY, json.dumps(dataclasses.asdict(found))))


def remember_outcome(item: pytest.Item, report: pytest.TestReport) -> None:
    """Keep whether the test passed: only then may its case be published."""
    if report.when == "call":
        item.stash[PASSED] = report.passed


def record_of(report: pytest.TestReport) -> Record | None:
    """The record that a report carries."""
    for name, value in report.user_properties:
        if name == PROPERTY:
            values: dict[str, Any] = json.loads(str(value))
            return Record(**values)
    return None


class Collector:
    """Collects the records of a session; under pytest-xdist this runs in the controller too."""

    def __init__(self, records: dict[str, Record], *, in_controller: bool) -> None:
        """`records` is filled by case."""
        self._records = records
        self._in_controller = in_controller

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the newest record of a case, with the worst outcome of the phases and tests so far."""
        found = record_of(report)
        if found is None:
            return
        if found.worker is not None and self._in_controller:
            # `--dist loadgroup` appends the group to the test's name, which `--last-failed` would never find again.
            report.nodeid = report.nodeid.removesuffix(f"@{found.model}")
        before = self._records.get(found.case)
        found.outcome = _worst(before.outcome if before else NOT_RUN, _outcome(report))
        if before is not None and before.pass_seconds is not None:
            found.pass_seconds = before.pass_seconds
        self._records[found.case] = found


_WORST_FIRST = ("error", "failed", "skipped", "passed", NOT_RUN)


def _outcome(report: pytest.TestReport) -> str:
    """What a phase says of the test: that it was set up or torn down well says nothing."""
    if report.when != "call":
        return {"passed": NOT_RUN, "failed": "error"}.get(report.outcome, report.outcome)
    return report.outcome


def _worst(*outcomes: str) -> str:
    return min(outcomes, key=_WORST_FIRST.index)
