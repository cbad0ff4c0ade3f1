"""How many small faults the tests notice: cosmic-ray changes a room's code at random places and runs that room's tests.

It works on a copy of the last commit, so that nothing is left changed. What survives is printed with its difference: a
change that means the same, or a test that is missing.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "src/auto_quantize_model"
TESTS = {
    "statistics": "tests/statistics",
    "comparison": "tests/comparison",
    "baselines": "tests/baselines",
    "recipes": "tests/recipes",
    "precision": "tests/precision",
    "engine": "tests/engine tests/test_run.py",
}
"""By room, the tests that are of it; others would notice some of what survives."""
MEANINGLESS = re.compile(r"core/(ReplaceBinaryOperator_BitOr_|RemoveDecorator|ReplaceUnaryOperator_Invert).*")
"""`|` is in annotations mostly, which nobody runs."""
CONFIG = """
[cosmic-ray]
module-path = "{module}"
timeout = {timeout}
test-command = "{python} -m pytest -x -q -p no:cacheprovider {tests}"
[cosmic-ray.distributor]
name = "local"
"""


@dataclasses.dataclass(frozen=True)
class Survivor:
    """A change that no test noticed."""

    place: str
    operator: str
    difference: str

    def __str__(self) -> str:
        changed = [line for line in self.difference.splitlines() if re.match(r"[-+](?![-+])", line)]
        return "\n".join([f"{self.place}, {self.operator}", *changed])


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Of one room."""

    tried: int
    survivors: list[Survivor]

    @property
    def killed(self) -> int:
        """How many of the changes a test noticed."""
        return self.tried - len(self.survivors)


def main() -> None:
    """Print the survivors of each room as they are known, then a line a room."""
    arguments = _arguments()
    outcomes: dict[str, Outcome] = {}
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        _run(["git", "clone", "--quiet", str(ROOT), str(copy)], ROOT)
        for room in arguments.rooms:
            outcomes[room] = _try(room, copy, Path(folder), arguments)
            for each in outcomes[room].survivors:
                sys.stdout.write(f"\n{each}\n")
            sys.stdout.flush()
    sys.stdout.write("\n| room | changes tried | noticed | share |\n| --- | --- | --- | --- |\n")
    for room, outcome in outcomes.items():
        share = outcome.killed / outcome.tried if outcome.tried else 0.0
        sys.stdout.write(f"| `{room}` | {outcome.tried} | {outcome.killed} | {share:.0%} |\n")


def _try(room: str, copy: Path, folder: Path, arguments: argparse.Namespace) -> Outcome:
    config, session = folder / f"{room}.toml", folder / f"{room}.sqlite"
    module, tests = f"{PACKAGE}/{room}", TESTS[room]
    config.write_text(
        CONFIG.format(module=module, tests=tests, python=arguments.python, timeout=arguments.timeout), encoding="utf-8"
    )
    _run(["cosmic-ray", "init", str(config), str(session)], copy)
    from cosmic_ray.work_db import WorkDB, use_db

    with use_db(str(session), WorkDB.Mode.open) as work:
        _leave(work, arguments.count, arguments.seed)
    _run(["cosmic-ray", "exec", str(config), str(session)], copy)
    with use_db(str(session), WorkDB.Mode.open) as work:
        found = list(_tried(work))
    return Outcome(len(found), [each for each in found if each is not None])


def _leave(work: Any, count: int, seed: int) -> None:
    """Only so many of the possible changes, at random, and none that mean nothing."""
    from cosmic_ray.work_item import WorkerOutcome, WorkResult

    possible = sorted(work.pending_work_items, key=lambda item: (_spec(item).module_path, _spec(item).start_pos))
    sensible = [item.job_id for item in possible if not MEANINGLESS.match(_spec(item).operator_name)]
    chosen = set(random.Random(seed).sample(sensible, min(count, len(sensible))))  # noqa: S311  not for secrets
    for item in possible:
        if item.job_id not in chosen:
            work.set_result(item.job_id, WorkResult(worker_outcome=WorkerOutcome.SKIPPED))


def _tried(work: Any) -> Iterator[Survivor | None]:
    """Each change that was tried: what survived, and None where a test noticed."""
    results = dict(work.results)
    for item in work.work_items:
        result = results[item.job_id]
        if result.worker_outcome == "skipped":
            continue
        spec = _spec(item)
        place = f"{Path(spec.module_path).as_posix()}:{spec.start_pos[0]}"
        yield None if result.is_killed else Survivor(place, spec.operator_name, result.diff or "")


def _spec(item: Any) -> Any:
    return item.mutations[0]


def _run(command: Sequence[str], folder: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
    subprocess.run(command, cwd=folder, check=True, env=environment)  # noqa: S603


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rooms", nargs="*", default=list(TESTS), metavar="ROOM", help=", ".join(TESTS))
    parser.add_argument("--count", type=int, default=50, metavar="N", help="changes to try in each room (50)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds that a room's tests may take")
    parser.add_argument("--python", default=sys.executable, help="that has the project and its tests' requirements")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.rooms) - set(TESTS))
    if unknown:
        parser.error(f"no tests are named for {', '.join(unknown)}; rooms: {', '.join(TESTS)}")
    return arguments


if __name__ == "__main__":
    main()
