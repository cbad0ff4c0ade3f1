from __future__ import annotations

import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from auto_quantize_model import InputError
from auto_quantize_model.artifacts import STAGING
from auto_quantize_model.baselines import folders
from auto_quantize_model.baselines.exchange import exchange
from auto_quantize_model.baselines.folders import put_back, replace_folder

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("a.json", "b.md", "c.md")
OLD = dict.fromkeys(NAMES, "old\n" * 2000)
NEW = dict.fromkeys(NAMES, "new\n" * 2000)

PRELUDE = """
import os, signal, sys
from pathlib import Path
from auto_quantize_model.baselines import folders
folder, exchanging = Path(sys.argv[1]), sys.argv[2] == "exchange"
old, new = ({name: word * 2000 for name in ("a.json", "b.md", "c.md")} for word in ("old\\n", "new\\n"))
if not exchanging:
    folders.exchange = lambda one, other: False
"""
# One process imports the package, and forks for each folder that it is told: what is killed is the fork.
FORKS = """
def in_a_fork(replace, *arguments):
    child = os.fork()
    if child == 0:
        replace(*arguments)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
DIES_AT_A_STEP = """
STEPS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.listdir", "os.scandir", "ctypes.dlsym"}
def replace_until(step, folder):
    count = 0
    def die(event, arguments):
        nonlocal count
        if event in STEPS:
            count += 1
            if count == step:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(die)
    folders.replace_folder(folder.parents[2], folder, new)
for line in sys.stdin:
    step, _, name = line.rstrip("\\n").partition(" ")
    in_a_fork(replace_until, int(step), Path(name))
"""
LOOPS = """
def replace_forever():
    print(os.getpid(), flush=True)
    while True:
        folders.replace_folder(folder.parents[2], folder, new)
        folders.replace_folder(folder.parents[2], folder, old)
for line in sys.stdin:
    in_a_fork(replace_forever)
"""
REPLACES_OFTEN = """
for _ in range(60):
    folders.replace_folder(folder.parents[2], folder, new)
    folders.replace_folder(folder.parents[2], folder, old)
"""

both_ways = pytest.mark.parametrize("way", ["exchange", "park"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "layer-analysis" / "weight-x-act-y" / "run"


def start(script: str, folder: Path, way: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", PRELUDE + script, str(folder), way]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603


def end(child: subprocess.Popen[bytes]) -> int:
    child.communicate()
    return child.returncode


def answer(forking: subprocess.Popen[bytes], question: str = "") -> int:
    """The next number that a process prints, after a line that tells it to go on."""
    assert forking.stdin is not None
    assert forking.stdout is not None
    if question:
        forking.stdin.write(f"{question}\n".encode())
        forking.stdin.flush()
    return int(forking.stdout.readline())


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def staging(folder: Path) -> Path:
    return folder.parents[1] / STAGING


@pytest.fixture
def no_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "exchange", lambda *_: False)


@pytest.fixture(params=["exchange", "park"])
def either_way(request: pytest.FixtureRequest) -> str:
    if request.param == "park":
        request.getfixturevalue("no_exchange")
    return str(request.param)


def test_two_folders_change_places(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    if not exchange(tmp_path / "one", tmp_path / "other"):
        pytest.skip("this file system cannot exchange")
    assert (tmp_path / "one" / "other").exists()
    assert (tmp_path / "other" / "one").exists()
    with pytest.raises(FileNotFoundError):
        exchange(tmp_path / "one", tmp_path / "missing")


@pytest.mark.usefixtures("either_way")
def test_a_folder_is_made_replaced_and_nothing_is_left_beside_it(folder: Path) -> None:
    for texts in (OLD, NEW, {"a.json": "é\r\n", "b.md": "", "c.md": "x"}):
        replace_folder(folder.parents[2], folder, texts)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
            name: text.encode() for name, text in texts.items()
        }
        assert [path.name for path in folder.parents[1].iterdir()] == ["weight-x-act-y"]


@pytest.mark.usefixtures("either_way")
def test_files_have_the_usual_permissions(folder: Path, tmp_path: Path) -> None:
    replace_folder(folder.parents[2], folder, OLD)
    replace_folder(folder.parents[2], folder, NEW)
    (tmp_path / "usual").mkdir()
    (tmp_path / "usual" / "file").touch()
    assert folder.stat().st_mode == (tmp_path / "usual").stat().st_mode
    assert (folder / "a.json").stat().st_mode == (tmp_path / "usual" / "file").stat().st_mode


def test_a_file_that_would_be_lost_is_named_and_nothing_is_written(folder: Path) -> None:
    replace_folder(folder.parents[2], folder, OLD)
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"run/notes\.txt: is no artifact .* move it away"):
        replace_folder(folder.parents[2], folder, NEW)
    assert contents(folder) == {**OLD, "notes.txt": "mine"}
    assert not staging(folder).exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_an_interrupted_replacement_leaves_the_old_files_and_nothing_else(
    folder: Path, either_way: str, error: type[BaseException] | BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_folder(folder.parents[2], folder, OLD)
    renames = itertools.count()
    rename = type(folder).rename

    def failing(self: Path, target: Path) -> Path:
        if self.name == "new":
            next(renames)
            raise error
        return rename(self, target)

    def refused(one: Path, other: Path) -> bool:
        next(renames)
        raise error

    monkeypatch.setattr(type(folder), "rename", failing)
    if either_way == "exchange":
        monkeypatch.setattr(folders, "exchange", refused)
    with pytest.raises((KeyboardInterrupt, InputError)) as caught:
        replace_folder(folder.parents[2], folder, NEW)
    assert next(renames) == 1
    assert caught.type is KeyboardInterrupt or "cannot be written: No space left on device" in str(caught.value)
    assert contents(folder) == OLD
    assert not staging(folder).exists()


@both_ways
def test_a_process_killed_at_any_step_leaves_all_old_or_all_new_files(folder: Path, way: str) -> None:
    seen = set()
    with start(FORKS + DIES_AT_A_STEP, folder, way) as forking:
        for step in itertools.count(1):
            replace_folder(folder.parents[2], folder, OLD)
            status = answer(forking, f"{step} {folder}")
            if status == 0:
                break
            assert status == -signal.SIGKILL
            if way == "exchange":
                assert folder.is_dir(), step
            put_back(folder.parents[2], folder)
            found = contents(folder)
            assert found in (OLD, NEW), step
            seen.add(found["a.json"][:3])
    assert step > 10
    assert seen == {"old", "new"}
    assert contents(folder) == NEW
    assert len(list(staging(folder).iterdir())) > 5
    age(staging(folder))
    replace_folder(folder.parents[2], folder, OLD)
    assert contents(folder) == OLD
    assert not staging(folder).exists()


def test_a_parked_folder_that_is_half_deleted_never_comes_back(tmp_path: Path) -> None:
    with start(FORKS + DIES_AT_A_STEP, tmp_path, "park") as forking:
        for step in itertools.count(1):
            folder = tmp_path / str(step) / "weight-x-act-y" / "run"
            replace_folder(folder.parents[2], folder, OLD)
            if answer(forking, f"{step} {folder}") == 0:
                break
            put_back(folder.parents[2], folder)
            shutil.rmtree(folder)
            put_back(folder.parents[2], folder)
            assert not folder.exists() or contents(folder) in (OLD, NEW), step
    assert step > 10


@both_ways
def test_a_process_killed_at_any_moment_leaves_all_old_or_all_new_files(folder: Path, way: str) -> None:
    replace_folder(folder.parents[2], folder, OLD)
    moments = random.Random(7)  # noqa: S311
    with start(FORKS + LOOPS, folder, way) as forking:
        for _ in range(20):
            looping = answer(forking, "begin")
            time.sleep(moments.random() / 50)
            os.kill(looping, signal.SIGKILL)
            assert answer(forking) == -signal.SIGKILL
            put_back(folder.parents[2], folder)
            assert contents(folder) in (OLD, NEW)


@both_ways
def test_processes_that_publish_side_by_side_do_not_disturb_each_other(folder: Path, way: str) -> None:
    siblings = [folder.with_name(f"run{index}") for index in range(4)]
    children = [start(REPLACES_OFTEN, sibling, way) for sibling in siblings]
    assert [end(child) for child in children] == [0] * 4
    assert [contents(sibling) for sibling in siblings] == [OLD] * 4
    assert not staging(folder).exists()


@both_ways
def test_processes_that_publish_the_same_case_leave_one_of_their_results(folder: Path, way: str) -> None:
    children = [start(REPLACES_OFTEN, folder, way) for _ in range(3)]
    assert [end(child) for child in children] == [0] * 3
    assert contents(folder) in (OLD, NEW)
    assert not staging(folder).exists()


def park(folder: Path, workspace: str, word: str) -> Path:
    parked = staging(folder) / workspace / "old" / folder.parent.name / folder.name
    parked.mkdir(parents=True)
    (parked / "a.json").write_text(word)
    (staging(folder) / workspace / folders._MARK).touch()
    return parked


def age(staging_folder: Path) -> None:
    for workspace in staging_folder.iterdir():
        os.utime(workspace, (0, 0))


def test_the_folder_that_was_parked_last_comes_back(folder: Path) -> None:
    for number, word in enumerate(("first", "last", "second")):
        parked = park(folder, f"w{number}", word)
        moment = 10**9 + (5 if word == "last" else number)
        os.utime(parked.parent, (moment, moment))
    put_back(folder.parents[2], folder)
    assert contents(folder) == {"a.json": "last"}


def test_a_folder_in_its_place_is_left_alone(folder: Path) -> None:
    replace_folder(folder.parents[2], folder, OLD)
    park(folder, "w", "older")
    put_back(folder.parents[2], folder)
    assert contents(folder) == OLD


def test_sweeping_puts_back_what_another_case_misses(folder: Path) -> None:
    sibling = folder.with_name("sibling")
    park(sibling, "w", "only copy")
    replace_folder(folder.parents[2], folder, OLD)
    assert not sibling.exists()
    age(staging(folder))
    replace_folder(folder.parents[2], folder, NEW)
    assert contents(sibling) == {"a.json": "only copy"}
    assert not staging(folder).exists()


def test_what_another_process_stages_just_now_is_not_swept(folder: Path) -> None:
    (staging(folder) / "theirs").mkdir(parents=True)
    replace_folder(folder.parents[2], folder, OLD)
    assert (staging(folder) / "theirs").is_dir()


def test_what_cannot_be_written_is_one_line(folder: Path) -> None:
    folder.parents[1].mkdir(parents=True)
    folder.parent.write_text("a file")
    with pytest.raises(InputError, match="cannot be written: ") as caught:
        replace_folder(folder.parents[2], folder, OLD)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="surrogates"):
        replace_folder(folder.parents[2], folder.with_name("other"), {"a": "\ud800"})
    assert not staging(folder).exists()
