"""Three hosts, one killed, one cut off, one slow in mid-pass: the bytes of one process, and how long it took.

Prints a table in Markdown. Every run is one of whole cases; a time is from the front's first call to its last result.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.cluster.hosts import hosts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from benchmarks.cluster.hosts import Host

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "PYTHONWARNINGS": "ignore"}


@dataclasses.dataclass(frozen=True)
class Scenario:
    """What happens to the hosts, and when: at a share of a stage."""

    name: str
    harms: tuple[tuple[str, float, Callable[[Sequence[Host]], None]], ...] = ()


def kill(number: int) -> Callable[[Sequence[Host]], None]:
    """A host's power goes."""
    return lambda all_hosts: all_hosts[number].kill()


def cut_off(number: int) -> Callable[[Sequence[Host]], None]:
    """A host's cable is pulled."""
    return lambda all_hosts: all_hosts[number].cut_off()


def slow_down(number: int, stopped: float, running: float) -> Callable[[Sequence[Host]], None]:
    """A host stands still in turns, for so many seconds each."""
    return lambda all_hosts: all_hosts[number].slow_down(stopped, running)


SCENARIOS = (
    Scenario("undisturbed"),
    Scenario("one killed in capture", (("capture", 0.5, kill(2)),)),
    Scenario("one killed in replay", (("replay", 0.3, kill(2)),)),
    Scenario("one cut off in replay", (("replay", 0.3, cut_off(2)),)),
    Scenario("one slow from the capture on", (("capture", 0.3, slow_down(3, 0.9, 0.1)),)),
    Scenario(
        "one killed, one cut off, one slow",
        # The slow one is left alone with it, so it is slow by half.
        (("capture", 0.3, slow_down(3, 0.5, 0.5)), ("capture", 0.6, kill(1)), ("replay", 0.3, cut_off(2))),
    ),
)


@dataclasses.dataclass
class Run:
    """What came of one run."""

    digest: str
    cases: int
    stages: dict[str, float]
    """When each stage was over, in seconds since the start."""
    notices: list[str]


def digest_of(folder: Path) -> tuple[str, int]:
    """Of all manifests in a folder, and how many there are."""
    sha256, files = hashlib.sha256(), sorted(folder.rglob("*.json"))
    for file in files:
        sha256.update(file.name.encode() + b"\0" + file.read_bytes())
    return sha256.hexdigest()[:16], len(files)


def follow(process: subprocess.Popen[str], scenario: Scenario, all_hosts: Sequence[Host], output: Path) -> Run:
    """Read what a front says, and do the hosts harm when it is time."""
    due = list(scenario.harms)
    stages: dict[str, float] = {}
    notices: list[str] = []
    started = None
    assert process.stdout is not None  # noqa: S101  for the type checker
    for line in process.stdout:
        if not line.startswith("["):
            notices.append(f"(not the front's) {line.strip()}")
            continue
        now, what, *values = json.loads(line)
        started = now if started is None else started
        if what == "notice":
            notices.append(f"{now - started:.1f} s: {values[0]}")
        if what == "end":
            stages["end"] = now - started
        if what == "progress":
            stage, done, total = values
            if done == total:
                stages.setdefault(stage, now - started)
            for harm in [each for each in due if each[0] == stage and done >= each[1] * total]:
                due.remove(harm)
                harm[2](all_hosts)
                notices.append(f"{now - started:.1f} s: ({stage} {done} of {total}: harm is done)")
    if process.wait() != 0 or due:
        sys.exit(f"{scenario.name}: the front ended with {process.returncode}; {len(due)} harms were not done")
    return Run(*digest_of(output), stages, notices)


def front(words: Iterable[str], prefix: Callable[[list[str]], list[str]]) -> subprocess.Popen[str]:
    """Start one."""
    command = prefix([sys.executable, "-m", "benchmarks.cluster.front", *words])
    return subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)  # noqa: S603


def alone(expression: str, folder: Path) -> Run:
    """One process."""
    return follow(front([expression, str(folder)], list), Scenario("one process"), [], folder)


def on_hosts(expression: str, scenario: Scenario, number: int, folder: Path) -> tuple[Run, float]:
    """A cluster of its own for each scenario; the head has no worker. Beside it, how long the cluster took to start."""
    began = time.monotonic()
    with hosts([0, *[1] * number], ENVIRONMENT) as all_hosts:
        up = time.monotonic() - began
        words = [expression, str(folder), "--cluster", "auto"]
        return follow(front(words, all_hosts[0].command), scenario, all_hosts, folder), up


def with_xdist(expression: str, folder: Path) -> float:
    """Wall time of pytest with two workers, its start and its comparison with the baselines in it."""
    words = ("-m", "pytest", "-q", "-m", "gpu", "sensitivity_cases", "-k", expression, "-n", "2", "--dist", "loadgroup")
    began = time.monotonic()
    subprocess.run(  # noqa: S603
        [sys.executable, *words, "--sensitivity-output", str(folder), "--sensitivity-device", "cpu"],
        cwd=ROOT,
        env=ENVIRONMENT,
        check=False,
        capture_output=True,
    )
    return time.monotonic() - began


def row(name: str, run: Run, reference: Run) -> str:
    """Of the table."""
    same = "the same bytes" if run.digest == reference.digest else "OTHER BYTES"
    times = [f"{run.stages.get(stage, 0.0):.1f}" for stage in ("load", "capture", "replay", "end")]
    return f"| {name} | {' | '.join(times)} | {run.stages['end'] / reference.stages['end']:.2f} | {run.cases}, {same} |"


def end_when_terminated() -> None:
    """So that no host outlives an end from outside."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))


def main() -> None:
    """Run everything, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-k", dest="expression", default="smollm2 and small", help="Cases (default: %(default)s)")
    parser.add_argument("--hosts", type=int, default=3, help="Hosts with a worker (default: %(default)s)")
    parser.add_argument("--only", default="", help="Scenarios whose name has this in it")
    parser.add_argument("--no-xdist", action="store_true", help="Leave the comparison with -n 2 out")
    arguments = parser.parse_args()
    end_when_terminated()
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:

        def folder(name: str) -> Path:
            place = Path(scratch, name.replace(" ", "_"))
            place.mkdir()
            return place

        reference = alone(arguments.expression, folder("one process"))
        say(f"{arguments.expression}; {arguments.hosts} hosts with a worker of one thread; seconds since the start")
        say(
            "| | loaded | captured | replayed | done | ratio | manifests |\n| --- | --- | --- | --- | --- | --- | --- |"
        )
        say(row("one process", reference, reference))
        if not arguments.no_xdist:
            say(f"| `pytest -n 2`, wall time | | | | {with_xdist(arguments.expression, folder('xdist')):.1f} | | |")
        for scenario in SCENARIOS:
            if arguments.only not in scenario.name:
                continue
            run, up = on_hosts(arguments.expression, scenario, arguments.hosts, folder(scenario.name))
            say(row(f"{scenario.name} (cluster up in {up:.1f} s)", run, reference))
            for line in run.notices:
                say(f"<!-- {line} -->")
            wrong += [scenario.name] if run.digest != reference.digest else []
    if wrong:
        sys.exit(f"other manifests than those of one process: {', '.join(wrong)}")


def say(line: Any) -> None:
    """To whoever watches."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
