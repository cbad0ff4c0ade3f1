"""Which tests a change of a line meets: recorded by a session of pytest, and read back."""

from __future__ import annotations

import inspect
import os
from pathlib import Path

import pytest
from tests.places import ROOT

from auto_quantize_model.statistics import multiple_choice

pytest.importorskip("coverage")

TESTS = """
import numpy as np
import pytest
from auto_quantize_model.statistics.multiple_choice import front, knee

@pytest.fixture(scope="module")
def shared():
    return knee(np.array([2.0, 1.0, 0.0]), np.array([0.0, 1.0, 2.0]))

def test_first(shared):
    assert shared == 0

def test_second(shared):
    assert shared == 0

def test_by_itself():
    assert front(np.array([[1.0]]), np.array([[1.0]]))

def test_fails():
    assert knee(np.array([2.0, 1.0, 0.0]), np.array([0.0, 1.0, 2.0])) is None
"""
FILE = Path(multiple_choice.__file__)


def line_of(function: object, text: str) -> int:
    lines, first = inspect.getsourcelines(function)  # type: ignore[arg-type]
    return first + next(number for number, line in enumerate(lines) if text in line)


def test_a_changed_line_meets_the_tests_that_run_it(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.mutants.choosing import combine, tests_that_run

    (pytester.path / "tests" / "statistics").mkdir(parents=True)
    (pytester.path / "tests" / "statistics" / "test_it.py").write_text(TESTS)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    records = pytester.mkdir("records")
    plugin = ("-p", "benchmarks.mutants.recording", "--record-lines", str(records))
    pytester.runpytest_subprocess("-n1", *plugin).assert_outcomes(passed=3, failed=1)
    combine(records)

    def tests(line: int) -> set[str]:
        return {test.partition("::")[2] for stage in tests_that_run(FILE, line, records) for test in stage.tests}

    # A fixture that two share counts for both; what fails before anything is changed notices nothing.
    assert tests(line_of(multiple_choice.knee, "along =")) == {"test_first", "test_second"}
    assert tests(line_of(multiple_choice.front, "chosen = _by_value")) == {"test_by_itself"}
    assert tests(line_of(multiple_choice.solve, "allowed =")) == set()
    # Of what runs on import, all that run anything of the file.
    assert tests(line_of(multiple_choice.knee, "def knee")) == {"test_first", "test_second", "test_by_itself"}
