"""How many small faults the tests notice: cosmic-ray changes a room's code at random places, one at a time.

Each change meets the tests that run the changed line, as a first run records them. All happens in a copy of the last
commit, so that nothing is left changed. What survives is printed with its difference: a change that means the same, or
a test that is missing.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import os
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

from tests.warm_python import start

from benchmarks.mutants.choosing import combine
from benchmarks.mutants.noticing import NO_TEST
from benchmarks.mutants.recording import PACKAGE
from benchmarks.places import ROOT

ROOMS = ("statistics", "comparison", "baselines", "recipes", "precision", "engine")
TESTS = ("tests", "sensitivity_cases")
PYTEST = ("-m", "pytest", "-q", "--tb=line", "-n2", "--dist=loadfile", "-m", "not gpu")
MEANINGLESS = re.compile(
    r"core/(ReplaceBinaryOperator_BitOr_|RemoveDecorator|ReplaceUnaryOperator_Invert"
    r"|ReplaceComparisonOperator_(Eq_Is|NotEq_IsNot|Is_Eq|IsNot_NotEq)$).*"
)
"""`|` is in annotations mostly, which nobody runs; small numbers and names are the same where they are equal."""
MEANS_NOTHING = re.compile(r"\s*(@dataclasses\.dataclass|if TYPE_CHECKING)")
"""Lines that only guard against other code: frozen, with slots, imported for annotations."""
CONFIG = """
[cosmic-ray]
module-path = "{module}"
timeout = 3600
test-command = "{python} -m benchmarks.mutants.noticing {records}"
[cosmic-ray.distributor]
name = "local"
"""


@dataclasses.dataclass(frozen=True)
class Survivor:
    """A change that no test noticed."""

    place: str
    operator: str
    difference: str
    was_run: bool
    """Whether any test runs the line at all: what needs a GPU, none does without one."""

    def __str__(self) -> str:
        changed = [line for line in self.difference.splitlines() if re.match(r"[-+](?![-+])", line)]
        unknown = "" if self.was_run else ", which no test runs here"
        return "\n".join([f"{self.place}, {self.operator}{unknown}", *changed])


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Of one room."""

    tried: int
    survivors: list[Survivor]

    @property
    def killed(self) -> int:
        """How many of the changes a test noticed."""
        return self.tried - len(self.survivors)

    @property
    def run(self) -> int:
        """How many of the changes are in lines that a test runs."""
        return self.tried - sum(not each.was_run for each in self.survivors)


@dataclasses.dataclass(frozen=True)
class Copy:
    """Of the repository, to change; what is recorded of its tests; a Python that starts at once."""

    folder: Path
    records: Path
    python: str

    def record(self, tests: Sequence[str]) -> None:
        """Which test runs which line. Tests that fail before anything is changed notice nothing, so they may."""
        self.records.mkdir(parents=True, exist_ok=True)
        plugin = ["-p", "benchmarks.mutants.recording", "--record-lines", str(self.records), "-p", "no:cacheprovider"]
        command = [self.python, *PYTEST, *plugin, *tests]
        _run(command, self.folder, allowed=(0, 1))
        combine(self.records)


def main() -> None:
    """Print the survivors of each room as they are known, then a line a room."""
    arguments = _arguments()
    outcomes: dict[str, Outcome] = {}
    with tempfile.TemporaryDirectory() as folder, start.warm_python(start.HEAVY) as python:
        copy = Copy(Path(folder) / "copy", (arguments.records or Path(folder) / "records").resolve(), python)
        _run(["git", "clone", "--quiet", str(ROOT), str(copy.folder)], ROOT)
        if arguments.tests or not copy.records.exists():
            copy.record(arguments.tests or TESTS)
        for room in arguments.rooms:
            outcomes[room] = _try(room, copy, Path(folder), arguments)
            for each in outcomes[room].survivors:
                sys.stdout.write(f"\n{each}\n")
            sys.stdout.flush()
    sys.stdout.write("\n| room | changes tried | of lines that tests run here | noticed | share |\n")
    sys.stdout.write("| --- | --- | --- | --- | --- |\n")
    for room, outcome in outcomes.items():
        share = outcome.killed / outcome.run if outcome.run else 0.0
        sys.stdout.write(f"| `{room}` | {outcome.tried} | {outcome.run} | {outcome.killed} | {share:.0%} |\n")


def _try(room: str, copy: Copy, folder: Path, arguments: argparse.Namespace) -> Outcome:
    from cosmic_ray.work_db import WorkDB, use_db

    config, session = folder / f"{room}.toml", folder / f"{room}.sqlite"
    module = f"src/{PACKAGE}/{room}"
    text = CONFIG.format(module=module, records=copy.records, python=copy.python)
    config.write_text(text, encoding="utf-8")
    _run(["cosmic-ray", "init", str(config), str(session)], copy.folder)
    with use_db(str(session), WorkDB.Mode.open) as work:
        _leave(work, copy.folder, arguments.count, arguments.seed)
    _run(["cosmic-ray", "exec", str(config), str(session)], copy.folder)
    with use_db(str(session), WorkDB.Mode.open) as work:
        found = list(_tried(work))
    return Outcome(len(found), [each for each in found if each is not None])


def _leave(work: Any, folder: Path, count: int, seed: int) -> None:
    """Only so many of the possible changes, at random, and none that mean nothing."""
    from cosmic_ray.work_item import WorkerOutcome, WorkResult

    possible = sorted(work.pending_work_items, key=lambda item: _place(_spec(item)))
    sensible = [item.job_id for item in possible if _means_something(_spec(item), folder)]
    chosen = set(random.Random(seed).sample(sensible, min(count, len(sensible))))  # noqa: S311  not for secrets
    others = [item.job_id for item in possible if item.job_id not in chosen]
    work.set_multiple_results(others, WorkResult(worker_outcome=WorkerOutcome.SKIPPED))


def _means_something(spec: Any, folder: Path) -> bool:
    line = _lines(folder / spec.module_path)[spec.start_pos[0] - 1]
    return not MEANINGLESS.match(spec.operator_name) and not MEANS_NOTHING.match(line)


@functools.cache
def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines()


def _place(spec: Any) -> tuple[object, ...]:
    """Where a change is and which one: cosmic-ray lists them in another order each time."""
    return spec.module_path.as_posix(), spec.start_pos, spec.operator_name, spec.occurrence


def _tried(work: Any) -> Iterator[Survivor | None]:
    """Each change that was tried: what survived, and None where a test noticed."""
    results = dict(work.results)
    for item in work.work_items:
        result = results[item.job_id]
        if result.worker_outcome == "skipped":
            continue
        spec = _spec(item)
        place = f"{Path(spec.module_path).as_posix()}:{spec.start_pos[0]}"
        was_run = NO_TEST not in (result.output or "")
        yield None if result.is_killed else Survivor(place, spec.operator_name, result.diff or "", was_run)


def _spec(item: Any) -> Any:
    return item.mutations[0]


def _run(command: Sequence[str], folder: Path, allowed: Container[int] = (0,)) -> None:
    environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
    ended = subprocess.run(command, cwd=folder, check=False, env=environment)  # noqa: S603
    if ended.returncode not in allowed:
        sys.exit(f"{' '.join(command[:3])} ended with {ended.returncode}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rooms", nargs="*", default=list(ROOMS), metavar="ROOM", help=", ".join(ROOMS))
    parser.add_argument("--count", type=int, default=50, metavar="N", help="changes to try in each room (50)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--records", type=Path, metavar="FOLDER", help="of what tests run: made there, or used again")
    parser.add_argument("--tests", nargs="+", metavar="PATH", help="to record (all, or none where there are records)")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.rooms) - set(ROOMS))
    if unknown:
        parser.error(f"no rooms: {', '.join(unknown)}; there are {', '.join(ROOMS)}")
    return arguments


if __name__ == "__main__":
    main()
