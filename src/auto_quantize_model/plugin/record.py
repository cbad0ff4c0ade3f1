"""What the summary says of a case, and how it travels from a test, in a worker perhaps, to the controller."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

    from auto_quantize_model.comparison.compare import Comparison
    from auto_quantize_model.plugin.suites import SuiteCase

PROPERTY = "sensitivity"
NOT_RUN = "not run"


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
    """`created`, `updated`, `re-rendered`, `unchanged`; None where nothing was published."""
    artifacts: str | None = None
    seconds: float = 0.0
    """What the case itself took, without the pass that it shares."""
    pass_seconds: float | None = None
    """What the model's pass took, at the case that triggered it."""
    pass_shared: bool = False
    """Whether the session's workers shared that pass."""
    worker: str | None = None
    tests: int = 1
    """How many selected tests the case has."""

    def note(self, comparison: Comparison) -> None:
        """Take over what a comparison with the baseline says."""
        self.verdict = comparison.verdict
        self.total_ratio = comparison.total_ratio
        worst = comparison.worst
        if worst is not None:
            self.worst_group, self.worst_ratio = worst.group, worst.ratio

    def as_property(self) -> tuple[str, str]:
        """The record as a test report's user property, as text: that crosses processes."""
        values = dataclasses.asdict(self)
        # That is for the reports to say, and none has been made yet.
        del values["outcome"]
        return PROPERTY, json.dumps(values)


def new_record(suite_case: SuiteCase, worker: str | None) -> Record:
    """The record of a case of which nothing is known yet."""
    case = suite_case.case
    return Record(
        case=case.id,
        model=case.model.name,
        pair=case.pair.name,
        size=case.size,
        suite=str(suite_case.suite.path),
        worker=worker,
    )


def record_of(report: pytest.TestReport) -> Record | None:
    """The record that a report carries."""
    for name, value in report.user_properties:
        if name == PROPERTY:
            values: dict[str, Any] = json.loads(str(value))
            return Record(**values)
    return None
