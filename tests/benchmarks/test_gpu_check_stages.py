from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from benchmarks.gpu_check.stages import Clock, Stage, run_stages
from benchmarks.gpu_check.table import Findings, Row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def works(_: Any) -> Iterator[Row]:
    yield Row("a figure", 1.0, "< 2", ok=True)


def breaks(_: Any) -> Iterator[Row]:
    yield Row("found before it broke", 2)
    raise RuntimeError("out of\nmemory")


def misses(_: Any) -> Iterator[Row]:
    yield Row("a figure", 3.0, "< 2", ok=False)


def run(file: Path, *stages: Stage, minutes: float = 1.0) -> Findings:
    findings = Findings({"device": "none"})
    run_stages(stages, None, Clock(minutes), findings, file)
    assert json.loads(file.read_text())["fine"] == findings.fine
    return findings


def test_a_stage_that_fails_costs_only_those_that_need_it(tmp_path: Path) -> None:
    stages = (Stage("one", 1, breaks), Stage("two", 1, works, needs="one"), Stage("three", 1, works, needs="four"))
    found = run(tmp_path / "new" / "found.json", *stages)
    assert [each.state for each in found.stages] == ["failed", "skipped", "ran"]
    assert [each.reason for each in found.stages] == [
        "RuntimeError: out of memory",
        "needs the stage 'one', which failed",
        "",
    ]
    assert [len(each.rows) for each in found.stages] == [1, 0, 1]
    assert not found.fine


def test_what_no_longer_fits_is_skipped_and_says_so(tmp_path: Path) -> None:
    found = run(tmp_path / "found.json", Stage("long", 100, works), Stage("short", 1, works))
    assert [each.state for each in found.stages] == ["skipped", "ran"]
    assert found.stages[0].reason == "takes about 100 s, and 60 s are left"
    assert found.fine


def test_a_missed_aim_is_no_failure_of_its_stage_but_of_the_check(tmp_path: Path) -> None:
    found = run(tmp_path / "found.json", Stage("one", 1, misses), Stage("two", 1, works, needs="one"))
    assert [each.state for each in found.stages] == ["ran", "ran"]
    assert [each.fine for each in found.stages] == [False, True]
    assert not found.fine


def test_a_check_that_ran_nothing_is_not_fine(tmp_path: Path) -> None:
    assert not run(tmp_path / "found.json", Stage("long", 120, lambda _: iter(())), minutes=0.1).fine


def test_what_was_found_is_on_the_disk_while_a_stage_still_runs(tmp_path: Path) -> None:
    file = tmp_path / "found.json"

    def looks(_: Any) -> Iterator[Row]:
        yield Row("first", 1)
        assert [row["what"] for row in json.loads(file.read_text())["stages"][0]["rows"]] == ["first"]
        yield Row("second", 2)

    assert run(file, Stage("looking", 1, looks)).fine


@pytest.mark.parametrize(
    ("value", "text"), [(0.000012345, "1.234e-05"), (27, "27"), (5633.5, "5634"), ("as is", "as is")]
)
def test_numbers_are_shown_short(value: str | float, text: str) -> None:
    assert Row("a figure", value).text == text
