"""Opening caption files of any kind, and reading those of plain text, one caption a line."""

from __future__ import annotations

import codecs
import contextlib
import json
import re
from typing import TYPE_CHECKING, BinaryIO

from auto_quantize_model.errors import InputError, nearest, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_LINE_END = re.compile(r"\r\n|\r|\n")
COCO_STEM = "coco2017_captions"
"""How the names of a user's own COCO captions begin."""
_TELLING_LINES = 5
"""How many captions must be JSON objects before a file counts as JSON lines."""


def read_captions(path: Path) -> list[str]:
    """Return a file's captions in file order, stripped; blank lines do not count."""
    with opened(path) as file:
        text = _decoded(path, file.read())
    captions = [caption for line in _LINE_END.split(text) if (caption := line.strip())]
    if not captions:
        raise InputError(f"{path}: no caption in this file; write one a line")
    if _is_json(text, captions):
        raise InputError(
            f"{path}: JSON, whose lines would be taken for captions as they are; "
            "call a file of an object a line .jsonl, or write the text of each entry on a line of its own"
        )
    return captions


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file of captions to read from; one that is not there, or cannot be read, is an error that says what is."""
    if path.is_dir():
        raise InputError(f"{path}: a folder, not a file of captions; {nearest_file(path, '.txt')}")
    try:
        with path.open("rb") as file:
            yield file
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; {_fix(path)}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or one_line(error, 200)}") from None


def nearest_file(path: Path, suffix: str) -> str:
    """Return a clause that offers a file of this kind in the folder where another was looked for."""
    folder = path if path.is_dir() else path.parent
    if not folder.is_dir():
        return f"there is no folder {folder}"
    names = [file.name for file in folder.glob(f"*{suffix}")]
    return nearest(path.name, names) if names else f"there is no {suffix} file in {folder}"


def _is_json(text: str, captions: Sequence[str]) -> bool:
    """Whether a text is one JSON document, or JSON lines; a caption that only begins with a brace is neither."""
    lines = captions[:_TELLING_LINES]
    return isinstance(_parsed(text), dict | list) or all(isinstance(_parsed(line), dict) for line in lines)


def _parsed(text: str) -> object:
    """The value of a JSON object or array; None for any other text."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _fix(path: Path) -> str:
    if path.name.startswith(COCO_STEM):
        return f"make it: python -m auto_quantize_model captions coco captions_train2017.json --output {path.parent}"
    return nearest_file(path, path.suffix or ".txt")


def _decoded(path: Path, content: bytes) -> str:
    try:
        return content.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        offset = error.start + (len(codecs.BOM_UTF8) if content.startswith(codecs.BOM_UTF8) else 0)
        line = content.count(b"\n", 0, offset) + 1
        raise InputError(
            f"{path}: line {line}: byte 0x{content[offset]:02x} at offset {offset} is not UTF-8; save the file as UTF-8"
        ) from None
