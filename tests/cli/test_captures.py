"""`captures` as a user meets it: what is kept, and what lets it go."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest

from auto_quantize_model.byte_sizes import parse_bytes, show_bytes
from auto_quantize_model.cli import main
from auto_quantize_model.engine.capture.identity import ABOUT, code_version
from auto_quantize_model.engine.capture.kept import UNKEPT, unkept_folder

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86_400


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Four captures, the one last used first, and a folder that is none."""
    keep(tmp_path / "new", days=0, size=3_000_000)
    keep(tmp_path / "older", days=10, size=2_000_000)
    keep(tmp_path / "stale", days=1, size=1_000_000, code="of another version")
    keep(tmp_path / f"{UNKEPT}x", days=2, size=500_000)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("", encoding="utf-8")
    return tmp_path


def keep(folder: Path, *, days: float, size: int, code: str | None = None) -> None:
    folder.mkdir()
    facts = {
        "model": "tiny",
        "checkpoint_sha256": "a" * 64,
        "family": "qwen3_vl",
        "dtype": "float32",
        "groups": "b",
        "computation": "c",
        "environment": {"hardware": "this"},
        "code": code or code_version(),
    }
    (folder / ABOUT).write_text(json.dumps(facts), encoding="utf-8")
    (folder / "batch.safetensors").write_bytes(b"\0" * size)
    used = time.time() - days * DAY
    os.utime(folder / ABOUT, (used, used))


def captures(root: Path, *arguments: str) -> int:
    return main(["captures", "--capture-dir", str(root), *arguments])


def left(root: Path) -> set[str]:
    return {folder.name for folder in root.iterdir()} - {"mine"}


def test_it_shows_what_is_kept_and_its_size(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert captures(root) == 0
    printed = capsys.readouterr().out
    assert f"4 captures kept, 6.5 MB, in {root}" in printed
    rows = {line.split("│")[1].strip(): line for line in printed.splitlines() if line.startswith("│")}
    assert list(rows) == ["new", "stale", f"{UNKEPT}x", "older"]
    assert [name for name, row in rows.items() if row.split("│")[3].strip() == "stale"] == ["stale", f"{UNKEPT}x"]
    assert "3.0 MB" in rows["new"]


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        ((), {"new", "older"}),
        (("--unused", "5"), {"new"}),
        (("--keep", "4MB"), {"new"}),
        (("--keep", "0"), set()),
        (("--all",), set()),
    ],
)
def test_pruning_lets_go_of_what_was_said(root: Path, arguments: tuple[str, ...], kept: set[str]) -> None:
    assert captures(root, "--prune", *arguments) == 0
    assert left(root) == kept
    assert (root / "mine" / "notes.txt").is_file()


def test_where_nothing_is_kept_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert captures(tmp_path / "nowhere") == 0
    assert capsys.readouterr().out.startswith("0 captures kept, 0.0 MB, in ")


def test_what_a_living_run_captures_is_left_alone_and_what_a_killed_one_left_is_cleared(root: Path) -> None:
    with unkept_folder(root) as mine:
        keep(mine / "about", days=0, size=1)
        (mine / "about" / ABOUT).replace(mine / ABOUT)
        assert f"{UNKEPT}x" not in left(root), "the next run clears it away"
        captures(root, "--prune")
        assert left(root) == {"new", "older", mine.name}
        with unkept_folder(root):
            assert mine.is_dir()
    assert left(root) == {"new", "older"}


def test_a_file_in_the_folders_place_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert captures(tmp_path / "file") == 2
    assert "is no folder, so no captures are in it" in capsys.readouterr().err


def test_a_folder_that_does_not_say_that_it_is_a_capture_is_left_alone(root: Path) -> None:
    (root / "stale" / ABOUT).write_text("not json", encoding="utf-8")
    captures(root, "--prune", "--all")
    assert left(root) == {"stale"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--all",), "captures: --all, --keep and --unused say what --prune removes; add it"),
        (("--prune", "--keep", "banana"), "captures --keep: 'banana' is no size; write it as 20GB, 512MiB or 0"),
        (("--prune", "--keep=-1GB"), "captures --keep: '-1GB' is no size"),
        (("--prune", "--all", "--keep", "1GB"), "captures: --all removes every capture; leave it out"),
        (("--prune", "--unused", "-1"), "captures --unused: days are 0 or more"),
    ],
)
def test_a_mistake_is_one_line_and_removes_nothing(
    root: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    before = left(root)
    assert captures(root, *arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert left(root) == before


def test_sizes_are_read_and_written_as_people_do() -> None:
    assert [parse_bytes(text) for text in ("0", "20GB", "512MiB", "1.5 kB")] == [0, 20_000_000_000, 512 << 20, 1500]
    assert [show_bytes(size) for size in (0, 1_500_000, 2e9)] == ["0.0 MB", "1.5 MB", "2.00 GB"]


def test_an_interrupt_as_soon_as_its_folder_is_there_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = os.mkdir

    def interrupted(path: str | Path, mode: int = 0o777) -> None:
        make(path, mode)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "mkdir", interrupted)
    with pytest.raises(KeyboardInterrupt), unkept_folder(tmp_path):
        pass
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []
