from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from auto_quantize_model import InputError
from auto_quantize_model.whole_files import PART, write_files
from auto_quantize_model.writable import check_file_place

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    for text in ("one\n", "other\r\n"):
        write_files(tmp_path / "new" / "folder", {"file.txt": text})
        assert (tmp_path / "new" / "folder" / "file.txt").read_bytes() == text.encode()
        assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["file.txt"]


def test_an_interrupt_as_soon_as_it_is_begun_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    close = os.close

    def interrupted(descriptor: int) -> None:
        close(descriptor)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "close", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_files(tmp_path, {"file.txt": "text"})
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "word"), [("link", "a link"), ("pipe", "a pipe"), ("folder", "a folder"), ("socket", "a socket")]
)
def test_only_a_file_is_written_over(tmp_path: Path, kind: str, word: str) -> None:
    place = tmp_path / "place"
    (tmp_path / "target").write_text("mine")
    with socket.socket(socket.AF_UNIX) as server:
        match kind:
            case "link":
                place.symlink_to(tmp_path / "target")
            case "pipe":
                os.mkfifo(place)
            case "folder":
                place.mkdir()
            case "socket":
                server.bind(str(place))
        before = place.lstat()
        with pytest.raises(InputError, match=f"place: is {word}, and only a file is written over; name another place"):
            write_files(tmp_path, {"place": "text"})
        assert (place.lstat().st_ino, place.lstat().st_mode) == (before.st_ino, before.st_mode)
        # A command says so before its work, not after.
        with pytest.raises(InputError, match=f"place: is {word}"):
            check_file_place(place)
    assert (tmp_path / "target").read_text() == "mine"
    assert not list(tmp_path.glob(f"*{PART}"))


def test_a_device_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="/dev/null: is a device, and only a file is written over"):
        check_file_place(type(tmp_path)("/dev/null"))


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/a", "a\\b", "a\0b"])
def test_a_name_that_leads_elsewhere_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="is no file name; nothing was written"):
        write_files(tmp_path / "folder", {"fine": "text", name: "text"})
    assert not (tmp_path / "folder").exists()
