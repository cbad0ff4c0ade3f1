from __future__ import annotations

from pathlib import Path

import pytest

from auto_quantize_model.captions.nested import SIZE_CAPTIONS, write_nested
from auto_quantize_model.captions.reading import read_captions
from auto_quantize_model.errors import InputError

CAPTIONS = [f"caption {number} with a caf\u00e9" for number in range(600)]


def test_each_file_is_a_prefix_of_the_next(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    files = write_nested(folder, "mine", CAPTIONS)
    assert [file.name for file in files] == ["mine_small.txt", "mine_medium.txt", "mine_large.txt"]
    assert [read_captions(file) for file in files] == [CAPTIONS[:count] for count in (16, 128, 512)]
    contents = [file.read_bytes() for file in files]
    assert contents[1].startswith(contents[0])
    assert contents[2].startswith(contents[1])
    assert all(content.endswith(b"\n") and b"\r" not in content for content in contents)
    assert sorted(folder.iterdir()) == sorted(files)


def test_too_few_captions_write_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="size 'large' needs 512 captions, but the file has 511"):
        write_nested(tmp_path, "mine", CAPTIONS[:511])
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = write_nested(tmp_path, "mine", CAPTIONS)
    before = [file.read_bytes() for file in files]
    write_bytes = Path.write_bytes

    def full_disk(path: Path, content: bytes) -> int:
        if "large" in path.name:
            raise OSError(28, "No space left on device")
        return write_bytes(path, content)

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(InputError, match="captions cannot be written: No space left on device"):
        write_nested(tmp_path, "mine", CAPTIONS[::-1])
    assert [file.read_bytes() for file in files] == before
    assert len(list(tmp_path.iterdir())) == len(SIZE_CAPTIONS)


def test_a_file_in_the_folders_place(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file: captions cannot be written: File exists"):
        write_nested(tmp_path / "file", "mine", CAPTIONS)
