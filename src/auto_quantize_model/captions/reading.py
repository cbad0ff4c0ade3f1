"""Reading caption files: plain text, one caption a line."""

from __future__ import annotations

import codecs
import hashlib
import json
import re
from typing import TYPE_CHECKING

from auto_quantize_model.errors import InputError, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_LINE_END = re.compile(r"\r\n|\r|\n")
COCO_STEM = "coco2017_captions"
"""How the names of a user's own COCO captions begin."""
_JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")
_TELLING_LINES = 5
"""How many captions must be JSON objects before a file counts as JSON lines."""


def read_captions(path: Path) -> list[str]:
    """Return a file's captions in file order, stripped; blank lines do not count."""
    text = _decoded(path, _content(path))
    captions = [caption for line in _LINE_END.split(text) if (caption := line.strip())]
    if not captions:
        raise InputError(f"{path}: no caption in this file; write one a line")
    if path.suffix.lower() in _JSON_SUFFIXES or _is_json(text, captions):
        raise InputError(
            f"{path}: JSON, whose lines would be taken for captions as they are; "
            "captions are plain text, one a line: write the text of each entry on a line of its own"
        )
    return captions


def first_captions(path: Path, captions: Sequence[str], needed: int, size: str) -> list[str]:
    """Return the captions that a size takes; too few of them are an error, never a smaller sample."""
    if len(captions) < needed:
        raise InputError(
            f"{path}: size '{size}' needs {needed} captions, but the file has {len(captions)}; "
            f"add captions or lower dataset.size_to_max_samples.{size}"
        )
    return list(captions[:needed])


def captions_sha256(captions: Sequence[str]) -> str:
    """Return the SHA-256 of the captions as a file of lines would hold them."""
    return hashlib.sha256(("\n".join(captions) + "\n").encode()).hexdigest()


def nearest_file(path: Path, suffix: str) -> str:
    """Return a clause that offers a file of this kind that lies where another was looked for."""
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


def _content(path: Path) -> bytes:
    if path.is_dir():
        raise InputError(f"{path}: a folder, not a file of captions; {nearest_file(path, '.txt')}")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; {_mend(path)}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def _mend(path: Path) -> str:
    if path.name.startswith(COCO_STEM):
        return f"make it: python -m auto_quantize_model captions coco captions_train2017.json --output {path.parent}"
    return nearest_file(path, ".txt")


def _decoded(path: Path, content: bytes) -> str:
    try:
        return content.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        offset = error.start + (len(codecs.BOM_UTF8) if content.startswith(codecs.BOM_UTF8) else 0)
        line = content.count(b"\n", 0, offset) + 1
        raise InputError(
            f"{path}: line {line}: byte 0x{content[offset]:02x} at offset {offset} is not UTF-8; save the file as UTF-8"
        ) from None
