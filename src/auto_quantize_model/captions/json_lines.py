"""Reading JSON lines: an object a line, of which one key is the sample. No further than somebody asks for more."""

from __future__ import annotations

import codecs
import json
from typing import TYPE_CHECKING, Any

from auto_quantize_model.captions.reading import opened
from auto_quantize_model.errors import InputError, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from auto_quantize_model.captions.samples import Field, Sample

_LONGEST_LINE = 64 * 2**20
"""So that a file without line ends is not read whole before it is refused."""
_ONE_A_LINE = "JSON lines have an object a line"


def read_json_lines(path: Path, field: Field) -> Iterator[Sample]:
    """Yield each line's sample; blank lines do not count."""
    for number, line in _lines(path):
        place = f"{path}: line {number}"
        text = _decoded(line, place)
        if text.strip():
            yield field.of(_object(text, place), place)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with opened(path) as file:
        number = 0
        while line := file.readline(_LONGEST_LINE + 1):
            number += 1
            if len(line) > _LONGEST_LINE:
                raise InputError(f"{path}: line {number} is longer than {_LONGEST_LINE >> 20} MiB; {_ONE_A_LINE}")
            yield number, line.removeprefix(codecs.BOM_UTF8) if number == 1 else line


def _decoded(line: bytes, place: str) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise InputError(
            f"{place}: byte 0x{line[error.start]:02x} at offset {error.start} is not UTF-8; save the file as UTF-8"
        ) from None


def _object(text: str, place: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{place}: not JSON: {error.msg} at column {error.colno}; {_ONE_A_LINE}") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, lists in lists in lists
        raise InputError(f"{place}: not JSON: {one_line(error, 100)}") from None
    if not isinstance(value, dict):
        what = "a list" if isinstance(value, list) else "no object"
        raise InputError(f"{place}: {what}; {_ONE_A_LINE}")
    return value
