"""Writing files so that each is there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from auto_quantize_model.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PART = ".part"
"""The end of the name of a file that is not finished; it outlives its process only where that was killed."""


def replace_file(file: Path, write: Callable[[Path], object]) -> None:
    """Let `write` write a new file beside this one, and put it in this one's place; others may read it as usual."""
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", suffix=PART, dir=file.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        write(temporary)
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


def replace_text(file: Path, text: str) -> None:
    """The same for a text in UTF-8, with the line ends that it has."""
    replace_file(file, lambda temporary: temporary.write_text(text, encoding="utf-8", newline="\n"))


def write_files(folder: Path, texts: Mapping[str, str]) -> None:
    """Write texts into a folder that is made if need be, by file name; the user is told what cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            replace_text(folder / name, text)
    except OSError as error:
        raise InputError(f"{error.filename or folder}: cannot be written: {error.strerror}") from None
    except UnicodeEncodeError as error:
        raise InputError(f"{folder}: cannot be written: {error.reason} in what it would hold") from None
