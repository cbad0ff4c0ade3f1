"""Lock files that are lost while their holders work, and clocks that are years off: work is done twice, never lost."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from tests.faults.test_interrupted import GROUPS, go, going_on, interrupt, left

from auto_quantize_model.baselines import folders
from auto_quantize_model.baselines.folders import replace_folder
from auto_quantize_model.engine.capture import kept
from auto_quantize_model.engine.machine.sharing import do_each_once

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auto_quantize_model import Suite

YEARS = 10 * 365 * 86_400
WORKER = """
import sys, time
from pathlib import Path
from auto_quantize_model.engine.machine.sharing import do_each_once
from auto_quantize_model.whole_files import replace_text
folder = Path(sys.argv[1])
def begin(unit):
    with (folder / "begun").open("a") as file:
        file.write(f"{unit}\\n")
    time.sleep(0.05)
    return lambda: replace_text(folder / f"done-{unit}", str(unit))
do_each_once(range(8), lambda unit: (folder / f"done-{unit}").exists(), begin, lambda unit: folder / f"{unit}.lock")
"""


def goes_on_from_five_groups(lines: list[str]) -> bool:
    """How many batches were written depends on how slow the disk was."""
    (line,) = going_on(lines)
    return line.startswith(f"goes on: 5 of {GROUPS} groups")


def test_a_lock_that_is_lost_costs_its_unit_twice_at_most(tmp_path: Path) -> None:
    """Somebody tidies up `*.lock` all the time, while three processes share eight units."""
    command = [sys.executable, "-c", WORKER, str(tmp_path)]
    workers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]  # noqa: S603
    while any(worker.poll() is None for worker in workers):
        for lock in tmp_path.glob("*.lock"):
            lock.unlink(missing_ok=True)
        time.sleep(0.001)
    for worker in workers:
        _, error = worker.communicate()
        assert (worker.returncode, error) == (0, "")
    assert [(tmp_path / f"done-{unit}").read_text() for unit in range(8)] == [str(unit) for unit in range(8)]
    begun = (tmp_path / "begun").read_text().split()
    assert set(begun) == set(map(str, range(8)))
    assert len(begun) <= 3 * 8


def test_who_waits_for_a_lock_that_is_lost_goes_on_once_its_holder_is_done(tmp_path: Path) -> None:
    done: list[int] = []

    def begin(unit: int) -> Callable[[], None]:
        (tmp_path / f"{unit}.lock").unlink()
        return lambda: done.append(unit)

    do_each_once(range(3), done.__contains__, begin, lambda unit: tmp_path / f"{unit}.lock")
    assert done == [0, 1, 2]


@pytest.mark.parametrize("lost", ["owner", "gate"])
def test_an_interrupted_run_whose_locks_are_lost_is_gone_on_from(
    llama_suite: Callable[..., Suite], tmp_path: Path, lost: str
) -> None:
    expected, _ = go(llama_suite(), tmp_path / "undisturbed", run=None)
    interrupt(llama_suite(), tmp_path, "replay 5")
    names = {"owner": "*/owner-*.lock", "gate": "interrupted.lock"}
    for lock in tmp_path.glob(names[lost]):
        lock.unlink()
    found, lines = go(llama_suite(), tmp_path)
    assert found == expected
    assert goes_on_from_five_groups(lines)


@pytest.mark.parametrize("off", [YEARS, -YEARS], ids=["ahead", "behind"])
def test_a_clock_that_is_years_off_loses_nothing_of_an_interrupted_run(
    llama_suite: Callable[..., Suite], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, off: int
) -> None:
    """What other passes left may be too old by such a clock; what this one left is its own, whatever its age."""
    expected, _ = go(llama_suite(), tmp_path / "undisturbed", run=None)
    interrupt(llama_suite(), tmp_path, "replay 5")
    monkeypatch.setattr(kept, "dt", _Clock(off))
    found, lines = go(llama_suite(), tmp_path)
    assert found == expected
    assert goes_on_from_five_groups(lines)
    assert left(tmp_path) == []


@pytest.mark.parametrize("off", [YEARS, -YEARS], ids=["ahead", "behind"])
def test_a_clock_that_is_years_off_costs_another_publisher_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, off: int
) -> None:
    """It takes what another stages just now for stale, and the other stages it again."""
    mine, others = (tmp_path / "layer-analysis" / "pair" / name for name in ("mine", "others"))
    stage = folders._stage
    swept: list[Path] = []

    def staged_beside_a_wrong_clock(workspace: Path, contents: dict[str, bytes]) -> Path:
        result = stage(workspace, contents)
        if contents == {"a.json": b"others"} and not swept:
            swept.append(workspace)
            monkeypatch.setattr(folders, "time", _Clock(off))
            replace_folder(tmp_path, mine, {"a.json": "mine"})
            monkeypatch.setattr(folders, "time", time)
        return result

    monkeypatch.setattr(folders, "_stage", staged_beside_a_wrong_clock)
    replace_folder(tmp_path, others, {"a.json": "others"})
    assert len(swept) == 1
    for folder, text in ((mine, "mine"), (others, "others")):
        assert [path.read_text() for path in folder.iterdir()] == [text]
    assert not (tmp_path / "layer-analysis" / ".publishing").exists()


class _Clock:
    """A clock that is off, in the places of `time` and `datetime`."""

    UTC = dt.UTC
    datetime: type[dt.datetime]

    def __init__(self, off: int) -> None:
        class Off(dt.datetime):
            @classmethod
            def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]
                return dt.datetime.now(tz) + dt.timedelta(seconds=off)

        self.datetime = Off
        self._off = off

    def time(self) -> float:
        return time.time() + self._off
