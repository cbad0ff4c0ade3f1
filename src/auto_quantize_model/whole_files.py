"""The one door for writing files: each is there whole or not at all, and only where a plain file is or can be."""

from __future__ import annotations

import os
import stat
import uuid
from typing import TYPE_CHECKING

from auto_quantize_model.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

PART = ".part"
"""The end of the name of a file that is not finished; it outlives its process only where that was killed."""


def replace_file(file: Path, write: Callable[[Path], object]) -> None:
    """Let `write` write a new file beside this one, and put it in this one's place; others may read it as usual."""
    refuse_all_but_a_file(file)
    # Named before it is there: an interrupt between the two would leave it behind.
    temporary = file.with_name(f".{file.name}.{uuid.uuid4().hex[:16]}{PART}")
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        write(temporary)
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


def replace_text(file: Path, text: str) -> None:
    """The same for a text in UTF-8, with the line ends that it has."""
    replace_content(file, text)


def replace_content(file: Path, content: str | bytes) -> None:
    """The same for a text or for bytes."""
    replace_file(file, lambda temporary: temporary.write_bytes(as_bytes(content)))


def as_bytes(content: str | bytes) -> bytes:
    """What a file of a text, in UTF-8, or of bytes has in it."""
    return content.encode("utf-8") if isinstance(content, str) else content


def write_files(folder: Path, contents: Mapping[str, str | bytes]) -> None:
    """Write texts or bytes into a folder that is made if need be, by file name; the user is told what cannot be."""
    for name in contents:
        check_file_name(name, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            replace_content(folder / name, content)
    except OSError as error:
        raise InputError(f"{error.filename or folder}: cannot be written: {error.strerror}") from None
    except UnicodeEncodeError as error:
        raise InputError(f"{folder}: cannot be written: {error.reason} in what it would hold") from None


def check_file_name(name: str, folder: Path) -> None:
    """Refuse a name that would lead out of the folder."""
    if name in ("", ".", "..") or any(character in "/\\\0" for character in name):
        raise InputError(f"{folder}: {name!r} is no file name; nothing was written")


def refuse_all_but_a_file(file: Path) -> None:
    """Refuse to put a file in the place of a link, a device, a pipe, a socket or a folder."""
    try:
        mode = file.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    if not stat.S_ISREG(mode):
        raise InputError(f"{file}: is {_kind(mode)}, and only a file is written over; name another place")


def _kind(mode: int) -> str:
    kinds = {stat.S_IFLNK: "a link", stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def refuse_links(root: Path, path: Path) -> None:
    """Refuse a path below a root that leads through a link, or is one: what it points to is nobody's to change."""
    place = root
    for part in path.relative_to(root).parts:
        place = place / part
        if place.is_symlink():
            raise InputError(f"{place}: is a link, and none is followed below {root}; put what it points to there")
