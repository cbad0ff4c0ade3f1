"""Runs that end in the middle, and the next run of the same cases: it goes on, and comes to the same bytes."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.places import ROOT, SUITE

from auto_quantize_model import CaptureSettings, run_cases
from auto_quantize_model.engine.capture import files, interrupted
from auto_quantize_model.engine.capture.identity import ABOUT, package_version
from auto_quantize_model.engine.capture.interrupted import forget, pass_folder
from auto_quantize_model.engine.capture.kept import INTERRUPTED, kept_captures
from auto_quantize_model.engine.capture.recording import Recorder
from auto_quantize_model.engine.replay import score_files
from auto_quantize_model.manifest.document import dumps

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auto_quantize_model import Suite

EXPRESSION = "small and (wint8_aint8 or wmxfp4_afp8)"
GROUPS, BATCHES = 8, 2
DAY = 86_400
RUN = """
import os, sys
from pathlib import Path
from auto_quantize_model import CaptureSettings, load_suite, run_cases
from auto_quantize_model.engine.capture import files
suite, models, folder, at, memory, signal = sys.argv[1:]
files.SPARE_SHARE = 1e9
def progress(stage, done, total):
    if f"{stage} {done}" == at:
        os.kill(os.getpid(), int(signal))
cases = load_suite(suite, models_root=models, overrides=["suite.models=[llama]"]).select(EXPRESSION)
captures = CaptureSettings(folder=Path(folder), run="first", memory=None if memory == 'free' else int(memory))
for result in run_cases(cases, device="cpu", captures=captures, progress=progress):
    progress("result", 1, 1)
"""


def go(suite: Suite, folder: Path, expression: str = EXPRESSION, **settings: Any) -> tuple[dict[str, str], list[str]]:
    """A run to its end: the manifests, and what it said."""
    lines: list[str] = []
    captures = CaptureSettings(**{"folder": folder, "run": "next", **settings})
    results = run_cases(suite.select(expression), device="cpu", captures=captures, notice=lines.append)
    manifests = {result.case.id: dumps(result.manifest) if result.manifest else str(result.error) for result in results}
    forget(captures)
    return manifests, lines


def interrupt(suite: Suite, folder: Path, at: str, **settings: Any) -> None:
    """A run that Ctrl-C ends at a moment."""

    def progress(stage: str, done: int, _total: int) -> None:
        if f"{stage} {done}" == at:
            raise KeyboardInterrupt

    captures = CaptureSettings(**{"folder": folder, "run": "first", **settings})
    with pytest.raises(KeyboardInterrupt):
        list(run_cases(suite.select(EXPRESSION), device="cpu", captures=captures, progress=progress))


def left(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{INTERRUPTED}*"))


def going_on(lines: list[str]) -> list[str]:
    return [line.removesuffix(" were there from an interrupted run") for line in lines if line.startswith("goes on: ")]


def there(groups: int, batches: int) -> list[str]:
    return [f"goes on: {groups} of {GROUPS} groups and {batches} of {BATCHES} batches"]


@pytest.fixture(scope="module")
def expected(llama_suite: Callable[..., Suite], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    found, lines = go(llama_suite(), tmp_path_factory.mktemp("undisturbed"), run=None)
    assert (len(found), going_on(lines)) == (2, [])
    return found


@pytest.fixture(autouse=True)
def _all_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "SPARE_SHARE", float("inf"))


@pytest.fixture
def captured(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many batches really run through the model, one entry each time."""
    seen: list[int] = []
    real = Recorder.record

    def counted(self: Recorder, batches: Any, *, scoring: bool) -> Any:
        seen.append(len(batches))
        return real(self, batches, scoring=scoring)

    monkeypatch.setattr(Recorder, "record", counted)
    return seen


@pytest.mark.usefixtures("warm_python")
@pytest.mark.parametrize(
    ("number", "at", "memory", "groups", "batches"),
    [
        (signal.SIGKILL, "load 1", "free", None, 0),
        (signal.SIGKILL, "capture 2", "free", 0, 2),
        (signal.SIGKILL, "replay 1", "free", 1, 2),
        (signal.SIGKILL, "replay 5", "free", 5, 2),
        (signal.SIGKILL, "replay 5", "0", 5, 2),
        (signal.SIGKILL, "replay 8", "free", 8, 2),
        (signal.SIGKILL, "result 1", "free", 8, 0),
        (signal.SIGINT, "replay 3", "free", 3, 2),
        (signal.SIGTERM, "replay 3", "free", 3, 2),
    ],
    ids=lambda value: value.name if isinstance(value, signal.Signals) else str(value),
)
def test_the_next_run_goes_on_and_comes_to_the_same_bytes(
    llama_root: Path,
    llama_suite: Callable[..., Suite],
    expected: dict[str, str],
    captured: list[int],
    tmp_path: Path,
    number: signal.Signals,
    at: str,
    memory: str,
    groups: int | None,
    batches: int,
) -> None:
    code = f"EXPRESSION = {EXPRESSION!r}\n{RUN}"
    arguments = [str(SUITE), str(llama_root), str(tmp_path), at, memory, str(int(number))]
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, check=False)  # noqa: S603
    assert done.returncode != 0, "it ran to its end"
    found, lines = go(llama_suite(), tmp_path)
    assert found == expected
    assert going_on(lines) == ([] if groups is None else there(groups, batches))
    assert sum(captured) == (BATCHES if groups is None else 0)
    assert left(tmp_path) == []


def test_every_interruption_of_a_run_goes_on_from_the_one_before(
    llama_suite: Callable[..., Suite], expected: dict[str, str], captured: list[int], tmp_path: Path
) -> None:
    for at in ("capture 2", "replay 2", "replay 6"):
        interrupt(llama_suite(), tmp_path, at, run=at)
    found, lines = go(llama_suite(), tmp_path)
    assert (found, going_on(lines)) == (expected, there(6, 2))
    assert sum(captured) == BATCHES


def test_other_inputs_do_not_go_on(llama_suite: Callable[..., Suite], tmp_path: Path) -> None:
    interrupt(llama_suite(), tmp_path, "replay 5")
    assert going_on(go(llama_suite("dataset.seq_len=6"), tmp_path)[1]) == []
    assert going_on(go(llama_suite("autoquant.score_size=4"), tmp_path)[1]) == []
    assert going_on(go(llama_suite("autoquant.replay_precision=tensor_core"), tmp_path)[1]) == []
    (folder,) = left(tmp_path)
    (capture,) = kept_captures(tmp_path)
    assert (capture.folder, capture.state, capture.model, capture.batches) == (folder, "interrupted", "llama", 2)


def test_other_code_does_not_go_on_and_clears_what_it_finds(
    llama_suite: Callable[..., Suite], expected: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(llama_suite(), tmp_path, "replay 5")
    for module in ("pass_files", "capture.kept"):
        monkeypatch.setattr(f"auto_quantize_model.engine.{module}.package_version", lambda: "another")
    assert [each.state for each in kept_captures(tmp_path)] == ["stale"]
    found, lines = go(llama_suite(), tmp_path)
    assert (found, going_on(lines), left(tmp_path)) == (expected, [], [])


def test_a_fresh_run_begins_anew_and_can_be_gone_on_from(
    llama_suite: Callable[..., Suite], expected: dict[str, str], captured: list[int], tmp_path: Path
) -> None:
    interrupt(llama_suite(), tmp_path, "replay 5")
    interrupt(llama_suite(), tmp_path, "replay 2", run="second", fresh=True)
    assert sum(captured) == 2 * BATCHES
    assert go(llama_suite(), tmp_path) == (expected, [f"{there(2, 2)[0]} were there from an interrupted run"])


def test_without_a_run_nothing_is_left_or_taken(
    llama_suite: Callable[..., Suite], expected: dict[str, str], tmp_path: Path
) -> None:
    interrupt(llama_suite(), tmp_path, "replay 5", run=None)
    assert list(tmp_path.iterdir()) == []
    interrupt(llama_suite(), tmp_path, "replay 5")
    assert go(llama_suite(), tmp_path, run=None) == (expected, [])


class TestDamage:
    @pytest.fixture
    def folder(self, llama_suite: Callable[..., Suite], tmp_path: Path) -> Path:
        interrupt(llama_suite(), tmp_path, "replay 5")
        (folder,) = left(tmp_path)
        return folder

    @pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
    @pytest.mark.parametrize("what", ["group-*.json", "*.safetensors"])
    def test_what_is_damaged_is_made_again(
        self, llama_suite: Callable[..., Suite], expected: dict[str, str], folder: Path, damage: str, what: str
    ) -> None:
        file = min(folder.glob(what))
        whole = file.read_bytes()
        flipped = bytearray(whole)
        flipped[20] ^= 1
        file.write_bytes({"flip": bytes(flipped), "cut": whole[:-7], "empty": b""}[damage])
        found, lines = go(llama_suite(), folder.parent)
        assert found == expected
        assert going_on(lines) == there(5 - (what == "group-*.json"), 2)
        assert any(str(file) in line and "damaged" in line for line in lines)

    def test_maxima_that_are_damaged_cost_a_capture(
        self, llama_suite: Callable[..., Suite], expected: dict[str, str], captured: list[int], tmp_path: Path
    ) -> None:
        settings = CaptureSettings(folder=tmp_path, run="first")
        next(iter(run_cases(llama_suite().select(EXPRESSION), device="cpu", captures=settings)))
        captured.clear()
        (folder,) = left(tmp_path)
        assert not list(folder.glob("*.safetensors")), "captured batches are of no use once all is scored"
        (folder / "maxima.json").write_text("half", encoding="utf-8")
        found, lines = go(llama_suite(), tmp_path)
        assert (found, going_on(lines), sum(captured)) == (expected, there(8, 0), BATCHES)
        assert any("maxima.json: damaged" in line for line in lines)

    def test_what_the_folder_says_of_itself_may_be_gone(
        self, llama_suite: Callable[..., Suite], expected: dict[str, str], folder: Path
    ) -> None:
        (folder / ABOUT).write_text("not json", encoding="utf-8")
        found, lines = go(llama_suite(), folder.parent)
        assert (found, going_on(lines)) == (expected, there(5, 2))


class TestPlaces:
    def test_a_cache_that_cannot_be_written_costs_a_line_and_no_run(
        self, llama_suite: Callable[..., Suite], expected: dict[str, str], tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_text("", encoding="utf-8")
        found, lines = go(llama_suite(), tmp_path / "file")
        assert found == expected
        (line,) = lines
        assert line.startswith(f"{tmp_path / 'file'}: cannot be used: ")
        assert line.endswith("; should this run be interrupted, the next one begins anew")

    def test_a_place_without_locks_costs_a_line_and_no_run(
        self,
        llama_suite: Callable[..., Suite],
        expected: dict[str, str],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def flock(*_: int) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr("fcntl.flock", flock)
        found, lines = go(llama_suite(), tmp_path)
        assert found == expected
        assert [": No locks available" in line for line in lines] == [True]

    @pytest.mark.parametrize("what", ["captures", "scores"])
    def test_a_disk_that_fills_up_costs_a_line_and_no_run(
        self,
        llama_suite: Callable[..., Suite],
        expected: dict[str, str],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        what: str,
    ) -> None:
        def full(*_: Any) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        if what == "captures":
            monkeypatch.setattr(files, "save_file", full)
        else:
            monkeypatch.setattr(score_files, "write_checked", full)
        found, lines = go(llama_suite(), tmp_path)
        assert found == expected
        assert [f"{what} cannot be written: No space left on device" in line for line in lines] == [True]

    def test_a_slow_disk_is_not_waited_for(
        self,
        llama_suite: Callable[..., Suite],
        expected: dict[str, str],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(files, "SPARE_SHARE", 0.0)
        interrupt(llama_suite(), tmp_path, "replay 5")
        (folder,) = left(tmp_path)
        assert len(list(folder.glob("*.safetensors"))) <= 1
        assert go(llama_suite(), tmp_path)[0] == expected

    def test_batches_that_only_calibrate_need_no_file(
        self, llama_suite: Callable[..., Suite], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(files, "SPARE_BYTES", -1)
        in_memory = go(llama_suite(), tmp_path, "large and wint8_aint8", run=None)
        assert go(llama_suite(), tmp_path, "large and wint8_aint8") == in_memory

    def test_only_so_much_is_written(
        self,
        llama_suite: Callable[..., Suite],
        expected: dict[str, str],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(files, "SPARE_BYTES", 1000)
        interrupt(llama_suite(), tmp_path, "replay 5")
        found, lines = go(llama_suite(), tmp_path)
        assert (found, going_on(lines)) == (expected, there(5, 0))


class TestOthers:
    def test_a_run_beside_another_of_the_same_pass_has_no_folder(
        self, llama_suite: Callable[..., Suite], expected: dict[str, str], tmp_path: Path
    ) -> None:
        interrupt(llama_suite(), tmp_path, "replay 5")
        (folder,) = left(tmp_path)
        name = folder.name.removeprefix(INTERRUPTED)
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        with pass_folder(tmp_path, name, about, "another", fresh=False) as held:
            assert held is not None
            assert [each.state for each in kept_captures(tmp_path)] == ["in use"]
            assert go(llama_suite(), tmp_path) == (expected, [])
            assert len(list(folder.glob("group-*.json"))) == 5
        assert going_on(go(llama_suite(), tmp_path)[1]) == there(5, 2)

    def test_nobody_comes_back_to_what_is_old(self, tmp_path: Path) -> None:
        for name, days in (("old", 8), ("young", 6)):
            make(tmp_path, name, days=days)
        assert comes(tmp_path) == {"young"}

    def test_the_oldest_go_beyond_a_size(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(interrupted, "MOST_BYTES", 15_000)
        make(tmp_path, "last", days=0, size=100_000)
        for days, name in enumerate(("first", "second", "third"), start=1):
            make(tmp_path, name, days=days, size=10_000)
        assert comes(tmp_path) == {"last", "first"}, "a run may come to what the last one left after its other passes"

    def test_what_is_in_use_or_somebody_elses_does_not_go(self, tmp_path: Path) -> None:
        make(tmp_path, "foreign", days=30)
        (tmp_path / f"{INTERRUPTED}foreign" / "notes.txt").write_text("", encoding="utf-8")
        with pass_folder(tmp_path, "used", about(), "a run", fresh=False) as used:
            assert used is not None
            age(used.path, days=30)
            assert comes(tmp_path) == {"foreign", "used"}


def about() -> dict[str, Any]:
    keys = ("model", "checkpoint_sha256", "family", "dtype", "groups", "computation", "environment", "code")
    return {**dict.fromkeys(keys, "x"), "package": package_version()}


def make(root: Path, name: str, *, days: float, size: int = 1000) -> None:
    """What a run left so long ago."""
    with pass_folder(root, name, about(), "a run", fresh=False) as folder:
        assert folder is not None
        (folder.path / "batch.safetensors").write_bytes(b"\0" * size)
    age(folder.path, days)


def age(folder: Path, days: float) -> None:
    used = time.time() - days * DAY
    os.utime(folder / ABOUT, (used, used))


def comes(root: Path) -> set[str]:
    """What of other passes is there once a run has come."""
    with pass_folder(root, "mine", about(), "mine", fresh=False):
        return {folder.name.removeprefix(INTERRUPTED) for folder in left(root)} - {"mine"}
