"""What the summary says of a case, and how it travels from a test, in a worker perhaps, to the controller."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest

from auto_quantize_model.plugin.collection import case_of

if TYPE_CHECKING:
    from auto_quantize_model.comparison.compare import Comparison
    from auto_quantize_model.plugin.case_run import CaseRun
    from auto_quantize_model.plugin.collection import SuiteCase
    from auto_quantize_model.plugin.session import Session

PROPERTY = "sensitivity"
NOT_RUN = "not run"
CASE_RUN: pytest.StashKey[CaseRun] = pytest.StashKey()


@dataclasses.dataclass(slots=True)
class Record:
    """One case of one session; pessimistic until something good is known."""

    case: str
    model: str
    pair: str
    size: str
    suite: str
    verdict: str = NOT_RUN
    """The comparison's; or `new`, `unreadable`, `not compared`, `regenerated`, `failed`, `skipped`."""
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
    pass_shared: bool = False
    """Whether the session's workers shared that pass."""
    worker: str | None = None
    tests: int = 1
    """How many selected tests the case has."""

    def note(self, comparison: Comparison) -> None:
        """Take over what a comparison with the baseline found."""
        self.verdict = comparison.verdict
        self.total_ratio = comparison.total_ratio
        worst = comparison.worst
        if worst is not None:
            self.worst_group, self.worst_ratio = worst.group, worst.ratio


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


def attach(item: pytest.Item, session: Session) -> None:
    """Put the record as it is now among the properties of the test's next report, as text: that crosses processes."""
    each = case_of(item)
    if each is None:
        return
    run = item.stash.get(CASE_RUN, None)
    found = run.record if run is not None else new_record(each, session.worker_name)
    found.tests = session.tests.get(each.key, 1)
    item.user_properties[:] = [pair for pair in item.user_properties if pair[0] != PROPERTY]
    values = dataclasses.asdict(found)
    # That is for the reports to say, and none has been made yet.
    del values["outcome"]
    item.user_properties.append((PROPERTY, json.dumps(values)))


def record_of(report: pytest.TestReport) -> Record | None:
    """The record that a report carries."""
    for name, value in report.user_properties:
        if name == PROPERTY:
            values: dict[str, Any] = json.loads(str(value))
            return Record(**values)
    return None
