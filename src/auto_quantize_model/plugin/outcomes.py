"""From the reports of a session to one record a case; in the controller, wherever the tests run."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from auto_quantize_model.plugin.loadgroup import without_group
from auto_quantize_model.plugin.record_in_report import record_of
from auto_quantize_model.summary.record import NOT_RUN, Record

if TYPE_CHECKING:
    from collections.abc import Callable

_OUTCOMES = ("error", "failed", "skipped", "passed", NOT_RUN)
"""The worst first."""
_DIED = "???"
"""When a test was, in pytest-xdist's report of it, that a worker died in."""
_VERDICTS = (
    *("failed", "incomparable", "drift", "unreadable", "new", "within_noise", "identical", "regenerated"),
    *("skipped", "not compared", NOT_RUN),
)
"""What a case's tests say of it, the most telling first."""


@dataclasses.dataclass(slots=True)
class _Test:
    """One test of a case: its newest record, and its outcome so far."""

    record: Record
    outcome: str = NOT_RUN
    finished: bool = False


class Outcomes:
    """Merges what every test of a case reports, and says when all of them have passed."""

    def __init__(
        self, records: dict[str, Record], on_start: Callable[[Record], None], on_passed: Callable[[Record], None]
    ) -> None:
        """`records` is filled by case."""
        self._records = records
        self._on_start = on_start
        self._on_passed = on_passed
        self._tests: dict[str, dict[str, _Test]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the newest record of a test of a case."""
        record = record_of(report)
        if record is not None or report.when == _DIED:
            _name_plainly(report)
        if record is None:
            return
        if record.case not in self._tests:
            self._on_start(record)
        tests = self._tests.setdefault(record.case, {})
        # A test that is set up is run again, perhaps once more.
        test = tests.get(report.nodeid) if report.when != "setup" else None
        test = tests[report.nodeid] = test or _Test(record)
        test.record = record
        test.outcome = min(test.outcome, _outcome(report), key=_OUTCOMES.index)
        test.finished = report.when == "teardown"
        self._records[record.case] = self._merged(record.case)
        if report.when == "teardown":
            self._finish(record.case)

    def _finish(self, case: str) -> None:
        merged, tests = self._records[case], self._tests[case].values()
        complete = len(tests) == merged.tests and all(test.finished for test in tests)
        if complete and merged.outcome == "passed":
            self._on_passed(merged)

    def _merged(self, case: str) -> Record:
        tests = list(self._tests[case].values())
        records = [test.record for test in tests]
        merged = dataclasses.replace(min(records, key=lambda record: _VERDICTS.index(record.verdict)))
        merged.outcome = min((test.outcome for test in tests), key=_OUTCOMES.index)
        merged.seconds = sum(record.seconds for record in records)
        merged.pass_seconds = next((record.pass_seconds for record in records if record.pass_seconds is not None), None)
        return merged


def _name_plainly(report: pytest.TestReport) -> None:
    """Take off the group that `--dist loadgroup` appends to a test's name: `--last-failed` would not find it again."""
    name = without_group(report.nodeid)
    if name != report.nodeid and isinstance(report.longrepr, str):
        report.longrepr = report.longrepr.replace(report.nodeid, name)
    report.nodeid = name


def _outcome(report: pytest.TestReport) -> str:
    """What a phase says of the test: that it was set up or torn down well says nothing."""
    if report.when != "call":
        return {"passed": NOT_RUN, "failed": "error"}.get(report.outcome, report.outcome)
    return report.outcome if report.outcome in _OUTCOMES else NOT_RUN
