from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auto_quantize_model.captions.reading import read_captions
from auto_quantize_model.captions.samples import captions_sha256, first_captions
from auto_quantize_model.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

# A line is what stands between line feeds and carriage returns; Python knows more line ends than files do. What begins
# like JSON has tests of its own.
LINES = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n[{"), max_size=20), max_size=8)


def message(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_captions(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@settings(deadline=None)
@given(LINES, st.sampled_from(["\n", "\r\n", "\r"]), st.booleans(), st.booleans())
def test_any_lines_round_trip(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], end: str, last: bool, mark: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "captions.txt"
    content = (end.join(lines) + (end if last else "")).encode()
    path.write_bytes(b"\xef\xbb\xbf" + content if mark else content)
    expected = [line.strip() for line in lines if line.strip()]
    # Without a mark of ours, a first character U+FEFF is one.
    if not mark and content.startswith(b"\xef\xbb\xbf"):
        expected = [line.strip() for line in [lines[0][1:], *lines[1:]] if line.strip()]
    if expected:
        assert read_captions(path) == expected
    else:
        assert "no caption" in message(path)


def test_missing_file_names_the_command_that_makes_it(tmp_path: Path) -> None:
    path = tmp_path / "coco2017_captions_large.txt"
    assert message(path) == (
        f"{path}: no such file; make it: "
        f"python -m auto_quantize_model captions coco captions_train2017.json --output {tmp_path}"
    )


def test_missing_file_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "mine_small.txt").touch()
    assert message(tmp_path / "mine_smal.txt").endswith("no such file; did you mean 'mine_small.txt'?")


def test_missing_folder(tmp_path: Path) -> None:
    folder = tmp_path / "nowhere"
    assert message(folder / "a.txt").endswith(f"no such file; there is no folder {folder}")


def test_folder_without_captions(tmp_path: Path) -> None:
    assert message(tmp_path / "a.txt").endswith(f"no such file; there is no .txt file in {tmp_path}")
    assert message(tmp_path).endswith(f"a folder, not a file of captions; there is no .txt file in {tmp_path}")


def test_folder_instead_of_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    assert message(tmp_path) == f"{tmp_path}: a folder, not a file of captions; valid: a.txt"


def test_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    assert "cannot be read: Not a directory" in message(tmp_path / "a.txt" / "b.txt")


@pytest.mark.parametrize("content", ["", "\n \n\t\n", "\ufeff"])
def test_empty_file(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text(content, encoding="utf-8")
    assert message(path) == f"{path}: no caption in this file; write one a line"


@pytest.mark.parametrize(("mark", "offset"), [(b"", 8), (b"\xef\xbb\xbf", 11)])
def test_not_utf8(tmp_path: Path, mark: bytes, offset: int) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(mark + "a dog\nca\xf1on\n".encode("latin-1"))
    assert message(path) == f"{path}: line 2: byte 0xf1 at offset {offset} is not UTF-8; save the file as UTF-8"


def test_first_captions(tmp_path: Path) -> None:
    captions = ["a", "b", "c"]
    assert first_captions(tmp_path, captions, 2, "small") == ["a", "b"]
    expected = (
        "size 'small' needs 4 captions, but the file has 3; "
        "add captions, or lower the number in the suite's sizes or dataset.size_to_max_samples"
    )
    with pytest.raises(InputError, match=re.escape(f"{tmp_path}: {expected}")):
        first_captions(tmp_path, captions, 4, "small")


def test_sha256_is_that_of_the_file() -> None:
    assert captions_sha256(["a dog", "é"]) == hashlib.sha256("a dog\né\n".encode()).hexdigest()


ENTRIES = [{"text": "a dog"}, {"text": "a cat", "id": 2}]
JSON_LINES = "".join(f"{json.dumps(entry)}\n" for entry in ENTRIES)
JSON_ERROR = (
    "JSON, whose lines would be taken for captions as they are; "
    "call a file of an object a line .jsonl, or write the text of each entry on a line of its own"
)


@pytest.mark.parametrize(
    "content",
    [
        JSON_LINES,
        "\n\n" + JSON_LINES,
        json.dumps(ENTRIES),
        json.dumps(ENTRIES, indent=2),
        json.dumps({"captions": ["a dog", "a cat"]}, indent=2),
        '{"text": "a dog"}',
    ],
)
def test_json_is_not_taken_for_captions(tmp_path: Path, content: str) -> None:
    path = tmp_path / "captions.txt"
    path.write_text(content, encoding="utf-8")
    assert message(path) == f"{path}: {JSON_ERROR}"


@pytest.mark.parametrize(
    "captions",
    [
        ["{a dog} on a beach", "a cat"],
        ["[sic] a dog"],
        ['{"text": "a dog"}', "a cat"],
        ["{", "a cat"],
        ["5", '"a dog"', "null", "true"],
        ["{" * 5000],
        ["[" * 5000 + "]"],
    ],
)
def test_captions_that_only_begin_like_json_are_captions(tmp_path: Path, captions: list[str]) -> None:
    path = tmp_path / "captions.txt"
    path.write_text("\n".join(captions), encoding="utf-8")
    assert read_captions(path) == captions
