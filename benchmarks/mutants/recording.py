"""A plugin of pytest that records which lines of the package each test runs: `pytest -p benchmarks.mutants.recording`.

What a shared fixture runs counts for every test that uses the fixture, not for the first one alone.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import coverage
import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

PACKAGE = "auto_quantize_model"
LINES = "lines"
RUNS = "runs"
OF_A_TEST, OF_A_FIXTURE = "test", "fixture"


@dataclasses.dataclass(frozen=True)
class TestRun:
    """A test that passed: what it uses and how long it took."""

    test: str
    seconds: float
    fixtures: list[str]

    @property
    def file(self) -> str:
        return self.test.partition("::")[0]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say where the records go."""
    parser.addoption("--record-lines", type=Path, required=True, metavar="FOLDER")


def pytest_configure(config: pytest.Config) -> None:
    """Begin, in each of pytest-xdist's workers for itself; there must be some."""
    if hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(config.getoption("--record-lines")))


class Recorder:
    """Names the lines that run after the test or the fixture that they run for."""

    def __init__(self, folder: Path) -> None:
        self._coverage = coverage.Coverage(
            data_file=str(folder / LINES), data_suffix=True, config_file=False, source_pkgs=[PACKAGE], messages=False
        )
        self._coverage.start()
        self._runs = folder / f"{RUNS}.{os.getpid()}"
        self._context = ""
        self._passed = True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Record a test."""
        started, self._passed = time.perf_counter(), True
        self._switch(f"{OF_A_TEST} {item.nodeid}")
        answer = yield
        self._switch("")
        if not self._passed:
            return answer
        run = TestRun(item.nodeid, time.perf_counter() - started, list(getattr(item, "fixturenames", ())))
        with self._runs.open("a", encoding="utf-8") as file:
            file.write(json.dumps(dataclasses.asdict(run)) + "\n")
        return answer

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Leave a test out that does not pass before anything is changed."""
        self._passed = self._passed and report.passed

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
        """Record a fixture that several tests share."""
        before = self._context
        if fixturedef.scope != "function":
            self._switch(f"{OF_A_FIXTURE} {fixturedef.argname} {fixturedef.baseid}")
        answer = yield
        self._switch(before)
        return answer

    def pytest_unconfigure(self) -> None:
        """Write the lines."""
        self._coverage.stop()
        self._coverage.save()

    def _switch(self, context: str) -> None:
        self._context = context
        self._coverage.switch_context(context)
