"""The remembered fingerprint: never another one than that of the bytes."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from auto_quantize_model import cache
from auto_quantize_model.cache import cache_root
from auto_quantize_model.checkpoints.fingerprint import remembered

LONG_AGO = time.time() - 100


class Counted:
    """A digest of files that counts how often it is computed."""

    def __init__(self, *files: Path) -> None:
        self.files = files
        self.times = 0

    def __call__(self) -> str:
        self.times += 1
        return hashlib.sha256(b"".join(file.read_bytes() for file in self.files)).hexdigest()

    def fingerprint(self) -> str:
        return remembered(self.files, self)


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Counted:
    monkeypatch.setenv("SENSITIVITY_CACHE", str(tmp_path / "cache"))
    files = [tmp_path / "a", tmp_path / "b"]
    for file in files:
        write(file, file.name)
    return Counted(*files)


def write(file: Path, text: str, modified: float = LONG_AGO) -> None:
    file.write_text(text, encoding="utf-8")
    os.utime(file, (modified, modified))


def entry() -> Path:
    (only,) = (cache_root() / "fingerprints").iterdir()
    return only


def test_it_is_computed_once(counted: Counted) -> None:
    assert counted.fingerprint() == counted.fingerprint() == counted()
    assert counted.times == 2  # the second by this test
    reordered = Counted(*reversed(counted.files))
    assert reordered.fingerprint() == counted.fingerprint()
    assert reordered.times == 0


@pytest.mark.parametrize(
    ("text", "modified"), [("c", LONG_AGO + 1), ("longer", LONG_AGO)], ids=["another time", "another size"]
)
def test_a_changed_file_is_read_again(counted: Counted, text: str, modified: float) -> None:
    before = counted.fingerprint()
    write(counted.files[1], text, modified)
    after = counted.fingerprint()
    assert after != before
    assert counted.fingerprint() == after
    assert counted.times == 2
    assert after in entry().read_text(encoding="utf-8")  # in the place of the older one


@pytest.mark.parametrize("age", [1, -60], ids=["just written", "of the future"])
def test_a_file_that_may_still_change_unnoticed_is_not_remembered(counted: Counted, age: float) -> None:
    write(counted.files[0], "x", time.time() - age)
    counted.fingerprint()
    counted.fingerprint()
    assert counted.times == 2


def test_a_file_that_changes_while_it_is_read_is_not_remembered(counted: Counted) -> None:
    def changing() -> str:
        found = counted()
        write(counted.files[0], "changed meanwhile")
        return found

    remembered(counted.files, changing)
    counted.fingerprint()
    assert counted.times == 2


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_damaged_cache_is_computed_again(counted: Counted, damage: bytes) -> None:
    right = counted.fingerprint()
    entry().write_bytes(damage)
    assert counted.fingerprint() == right
    assert counted.fingerprint() == right
    assert counted.times == 2


def test_an_entry_with_another_fingerprint_than_a_sha256_is_computed_again(counted: Counted) -> None:
    right = counted.fingerprint()
    entry().write_text(entry().read_text(encoding="utf-8").replace(right, right[:-1]), encoding="utf-8")
    assert counted.fingerprint() == right


def test_a_cache_that_cannot_be_written_is_no_error(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENSITIVITY_CACHE", str(counted.files[0]))  # a file, where a folder is wanted
    assert counted.fingerprint() == counted.fingerprint()
    assert counted.times == 2


def test_nothing_half_written_stays(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr(Path, "replace", fails)
    counted.fingerprint()
    assert not list((cache_root() / "fingerprints").iterdir())


def test_the_users_cache_unless_another_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(cache.VARIABLE)
    assert cache_root().name == "auto-quantize-model"
    monkeypatch.setenv(cache.VARIABLE, "elsewhere")
    assert cache_root() == Path("elsewhere")
