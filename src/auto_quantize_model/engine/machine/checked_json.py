"""JSON in a file that tells whether it is damaged."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

from auto_quantize_model.whole_files import replace_content

if TYPE_CHECKING:
    from pathlib import Path

    from auto_quantize_model.reporting import Notice


class DamagedFileError(Exception):
    """A file does not have in it what was written."""


def write_checked(file: Path, value: object) -> None:
    """Write a value, and its checksum before it; JSON keeps every bit of a float."""
    text = json.dumps(value).encode()
    replace_content(file, _checksum(text) + b"\n" + text)


def read_checked(file: Path) -> Any:
    """Read a value back; None where there is no file."""
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DamagedFileError(f"{file}: damaged ({error.strerror})") from None
    checksum, _, text = content.partition(b"\n")
    if checksum != _checksum(text):
        raise DamagedFileError(f"{file}: damaged (its checksum is another)")
    return json.loads(text)


def read_or_remove(file: Path, notice: Notice, then: str) -> Any:
    """Read a value back; None where there is no file, or it was damaged and is gone now, which the user is told."""
    try:
        return read_checked(file)
    except DamagedFileError as error:
        notice(f"{error}; {then}")
        file.unlink(missing_ok=True)
        return None


def _checksum(text: bytes) -> bytes:
    return b"%08x" % zlib.crc32(text)
