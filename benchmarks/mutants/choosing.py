"""Which tests run a line, the quickest first."""

from __future__ import annotations

import ast
import collections
import dataclasses
import json
from typing import TYPE_CHECKING

import coverage

from benchmarks.mutants.recording import LINES, OF_A_FIXTURE, OF_A_TEST, PACKAGE, RUNS, TestRun

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path


OWN_SECONDS = 90.0
QUICK_SECONDS = 40.0
"""Of tests for one change, of its room and of others. What runs everywhere is run by nearly all of them."""
SLOW_SECONDS = 300.0
"""Of slow tests of the room, first one of each file and then others, for a change that the quick ones let pass."""


@dataclasses.dataclass(frozen=True)
class Stage:
    """Tests to run together, and how long they may have taken when they were recorded."""

    tests: list[str]
    seconds: float


def combine(folder: Path) -> None:
    """Add what several processes left to one record."""
    record = coverage.Coverage(data_file=str(folder / LINES), config_file=False, messages=False)
    record.load()
    record.combine()
    record.save()


def tests_that_run(file: Path, line: int, folder: Path) -> list[Stage]:
    """The tests that ran the statement which has this line: quick ones of its own room, of others, then slow ones.

    Of what is run on import, all that run the file.
    """
    by_line = _contexts(file, folder)
    here = {context for number in _statement(file, line) for context in by_line.get(number, ())}
    if here == {""}:
        here = {context for contexts in by_line.values() for context in contexts}
    runs = {run.test: run for path in sorted(folder.glob(f"{RUNS}.*")) for run in _runs(path)}
    slowest = {run.file: run.seconds for run in sorted(runs.values(), key=_seconds)}
    chosen = [run for run in runs.values() if any(_is_for(run, each) for each in here)]
    own = f"tests/{_within_package(file).split('/')[1]}/"
    mine = [run for run in chosen if run.test.startswith(own)]
    others = [run for run in chosen if not run.test.startswith(own)]
    quick = _quickest(mine, slowest, OWN_SECONDS)
    slow = _quickest(_one_of_each_file(mine, quick), slowest, SLOW_SECONDS)
    slow += _quickest([run for run in mine if run not in quick and run not in slow], slowest, SLOW_SECONDS)
    stages = (
        (quick, OWN_SECONDS),
        (_quickest(others, slowest, QUICK_SECONDS), QUICK_SECONDS),
        (slow, 2 * SLOW_SECONDS),
    )
    return [Stage([run.test for run in stage], seconds) for stage, seconds in stages if stage]


def _contexts(file: Path, folder: Path) -> dict[int, list[str]]:
    """By line, what ran it. The records may have been made in other copies."""
    data = coverage.CoverageData(str(folder / LINES))
    data.read()
    by_line: dict[int, list[str]] = collections.defaultdict(list)
    for name in data.measured_files():
        if name.endswith(f"/{_within_package(file)}"):
            for line, contexts in data.contexts_by_lineno(name).items():
                by_line[line] += contexts
    return by_line


def _within_package(file: Path) -> str:
    return str(file)[str(file).rindex(f"{PACKAGE}/") :]


def _quickest(runs: Iterable[TestRun], slowest: Mapping[str, float], limit: float) -> list[TestRun]:
    """As many as there is time for. A file is charged once with its slowest test, which has made its fixtures."""
    seconds, files, chosen = 0.0, set[str](), list[TestRun]()
    for run in sorted(runs, key=lambda run: slowest[run.file] + run.seconds):
        more = run.seconds if run.file in files else max(run.seconds, slowest[run.file])
        if seconds + more <= limit:
            seconds += more
            files.add(run.file)
            chosen.append(run)
    return chosen


def _one_of_each_file(runs: Iterable[TestRun], without: Iterable[TestRun]) -> Iterable[TestRun]:
    """The quickest of each file that has none among others: files look at different things."""
    done = {run.file for run in without}
    return {run.file: run for run in sorted(runs, key=_seconds, reverse=True) if run.file not in done}.values()


def _seconds(run: TestRun) -> float:
    return run.seconds


def _runs(path: Path) -> Iterator[TestRun]:
    for line in path.read_text(encoding="utf-8").splitlines():
        yield TestRun(**json.loads(line))


def _is_for(run: TestRun, context: str) -> bool:
    kind, _, rest = context.partition(" ")
    if kind == OF_A_TEST:
        return run.test == rest
    name, _, place = rest.partition(" ")
    return kind == OF_A_FIXTURE and name in run.fixtures and run.test.startswith(place)


def _statement(file: Path, line: int) -> range:
    """The lines of the smallest statement around a line; of one with a body, its head."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    spans = [_lines(node) for node in ast.walk(tree) if isinstance(node, ast.stmt | ast.excepthandler | ast.match_case)]
    return min((span for span in spans if line in span), key=len, default=range(line, line + 1))


def _lines(node: ast.stmt | ast.excepthandler | ast.match_case) -> range:
    first = node.pattern.lineno if isinstance(node, ast.match_case) else node.lineno
    body = getattr(node, "body", None)
    if body:
        return range(first, max(body[0].lineno, first + 1))
    return range(first, (getattr(node, "end_lineno", None) or first) + 1)
