"""A session that ends in the middle, and the next one of the same cases."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from tests.plugin.projects import lines_with

from auto_quantize_model.engine.capture.kept import kept_captures

if TYPE_CHECKING:
    from tests.plugin.projects import Project

pytestmark = pytest.mark.usefixtures("warm_python")

WHERE = ("--sensitivity-device", "cpu", "--sensitivity-capture-dir", "captures")
PARALLEL = (*WHERE, "-n", "2", "--dist", "loadgroup")
TESTS = """
    import os, signal
    from pathlib import Path

    def test_sensitivity(sensitivity_case):
        case = sensitivity_case.case
        if case.model.name == "{before}" and not Path("second").exists():
            os.kill(os.getpid(), signal.SIGINT)
        sensitivity_case.check_artifacts()
        if case.model.name == "{after}" and not Path("second").exists():
            os.kill(int(Path("controller").read_text()), signal.SIGKILL)
    """


CONFTEST = """
    import os
    from pathlib import Path

    def pytest_configure(config):
        if not hasattr(config, "workerinput"):
            Path("controller").write_text(str(os.getpid()))
    """


def left(project: Project) -> list[str]:
    return [folder.name for folder in (project.root / "captures").iterdir() if folder.is_dir()]


def test_finished_passes_are_gone_on_from_too(project: Project) -> None:
    """An interruption in the second model does not cost the first."""
    project.write_suite(models=["one", "two"])
    project.write_tests(TESTS.format(before="two", after=None))
    assert project.run_apart(*WHERE).ret == pytest.ExitCode.INTERRUPTED
    assert len(left(project)) == 1
    (project.root / "second").touch()
    result = project.run_apart(*WHERE)
    result.assert_outcomes(passed=4)
    (line,) = lines_with(result, "goes on: ")
    assert line.strip() == "goes on: 32 of 32 groups and 0 of 2 batches were there from an interrupted run"
    assert left(project) == []


def test_workers_go_on_from_a_session_that_was_killed(project: Project) -> None:
    assert project.run().ret == 1, "nothing is published"
    artifacts = project.files("out")
    project.write_tests(TESTS.format(before=None, after="one"))
    project.write_tests(CONFTEST, "conftest.py")
    project.run_apart(*PARALLEL)
    deadline = time.monotonic() + 60
    while {each.state for each in kept_captures(project.root / "captures")} != {"interrupted"}:
        assert time.monotonic() < deadline, "the workers live on"
        time.sleep(0.1)
    (project.root / "second").touch()
    result = project.run_apart(*PARALLEL)
    result.assert_outcomes(passed=2)
    assert len(lines_with(result, "goes on: 32 of 32 groups")) == 1
    assert project.files("out") == artifacts
    assert left(project) == []


def test_fresh_begins_anew(project: Project) -> None:
    project.write_suite(models=["one", "two"])
    project.write_tests(TESTS.format(before="two", after=None))
    project.run_apart(*WHERE)
    (project.root / "second").touch()
    result = project.run_apart(*WHERE, "--sensitivity-fresh")
    result.assert_outcomes(passed=4)
    assert not lines_with(result, "goes on: ")
    assert left(project) == []
