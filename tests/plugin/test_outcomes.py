"""How the reports of a case's tests become its record: also reports that only other plugins make."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from auto_quantize_model.plugin.outcomes import Outcomes
from auto_quantize_model.plugin.record_in_report import PROPERTY
from auto_quantize_model.summary.record import Record

CASE = Record("m-p-small", "m", "p", "small", "suite.yaml", verdict="identical", artifacts="out")


def report(when: Any, outcome: Any, nodeid: str = "test_a", **changes: Any) -> pytest.TestReport:
    values = {**dataclasses.asdict(CASE), **changes}
    properties = [(PROPERTY, json.dumps(values))]
    return pytest.TestReport(nodeid, (nodeid, 0, nodeid), {}, outcome, None, when, user_properties=properties)


def collected(*reports: pytest.TestReport) -> tuple[Record, list[str]]:
    records: dict[str, Record] = {}
    started: list[str] = []
    passed: list[str] = []
    outcomes = Outcomes(records, lambda record: started.append(record.case), lambda record: passed.append(record.case))
    for each in reports:
        outcomes.pytest_runtest_logreport(each)
    assert started == [CASE.case]
    return records[CASE.case], passed


def phases(call: Any, nodeid: str = "test_a", **changes: Any) -> list[pytest.TestReport]:
    outcomes = {"setup": "passed", "call": call, "teardown": "passed"}
    return [report(when, outcome, nodeid, **changes) for when, outcome in outcomes.items()]


@pytest.mark.parametrize("outcome", ["passed", "failed", "skipped"])
def test_a_test_is_as_its_call_was(outcome: str) -> None:
    record, passed = collected(*phases(outcome))
    assert record.outcome == outcome
    assert passed == (["m-p-small"] if outcome == "passed" else [])


def test_a_broken_teardown_is_an_error() -> None:
    record, passed = collected(report("setup", "passed"), report("call", "passed"), report("teardown", "failed"))
    assert (record.outcome, passed) == ("error", [])


def test_a_rerun_counts_by_its_last_run() -> None:
    first = [report("setup", "passed"), report("call", "rerun"), report("teardown", "passed")]
    record, passed = collected(*first, *phases("passed"))
    assert (record.outcome, passed) == ("passed", ["m-p-small"])


def test_every_test_of_a_case_must_have_passed() -> None:
    one, other = phases("passed", "test_a", tests=2), phases("passed", "test_b", tests=2)
    assert collected(*one)[1] == []
    assert collected(*one, *other)[1] == ["m-p-small"]
    assert collected(*one, *phases("failed", "test_b", tests=2))[1] == []


def test_the_most_telling_verdict_wins_and_seconds_add_up() -> None:
    drifted = phases("failed", "test_a", verdict="drift", reason="why", seconds=1.0, pass_seconds=9.0)
    record, _ = collected(*drifted, *phases("passed", "test_b", verdict="not compared", seconds=0.5))
    assert (record.verdict, record.reason, record.outcome) == ("drift", "why", "failed")
    assert (record.seconds, record.pass_seconds) == (1.5, 9.0)


def test_a_group_in_a_tests_name_is_taken_off() -> None:
    each = report("setup", "failed", "test_a[m-p-small]@m-0", worker="gw1")
    collected(each)
    assert each.nodeid == "test_a[m-p-small]"


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("test_a[m-p-small]@m-1", "test_a[m-p-small]"),
        ("test_a[x-m-p-small-y]@m", "test_a[x-m-p-small-y]"),
        ("test_a[m-p-small]@other", "test_a[m-p-small]@other"),
        ("test_a@m", "test_a@m"),
    ],
)
def test_a_test_that_a_worker_died_in_is_named_without_its_group(name: str, plain: str) -> None:
    died: Any = pytest.TestReport(name, ("", None, ""), {}, "failed", f"crashed while running {name!r}", "???")  # type: ignore[arg-type]
    Outcomes({}, lambda _: None, lambda _: None).pytest_runtest_logreport(died)
    assert (died.nodeid, died.longrepr) == (plain, f"crashed while running {plain!r}")
