"""Finding the text that an older manifest was calibrated with, by the SHA-256 of its captions."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from auto_quantize_model.captions.reading import captions_sha256, read_captions
from auto_quantize_model.errors import InputError
from auto_quantize_model.git import ask_git

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


@dataclasses.dataclass(frozen=True, slots=True)
class Prefix:
    """The first captions of a text: what tells one text from another."""

    count: int
    sha256: str

    def begins(self, captions: list[str]) -> bool:
        """Whether a text begins with these captions."""
        return len(captions) >= self.count and captions_sha256(captions[: self.count]) == self.sha256


@dataclasses.dataclass(frozen=True, slots=True)
class CaptionFile:
    """A file that holds a text, and how to call it."""

    path: Path
    name: str
    count: int


def find_among(prefix: Prefix, files: Iterable[Path]) -> CaptionFile | None:
    """The file with the most captions of those that begin with some captions."""
    found = [each for each in map(_captions_in, files) if each is not None and prefix.begins(each[1])]
    if not found:
        return None
    path, captions = max(found, key=lambda each: len(each[1]))
    return CaptionFile(path, path.name, len(captions))


def find_in_history(prefix: Prefix, file: Path, scratch: Path) -> CaptionFile | None:
    """The newest committed version of a file that begins with some captions, written to the scratch folder."""
    for revision, content in _versions(file):
        path = scratch / f"{revision}-{file.name}"
        path.write_bytes(content)
        found = find_among(prefix, [path])
        if found is not None:
            return dataclasses.replace(found, name=f"{file.name} of commit {revision}")
    return None


def _captions_in(path: Path) -> tuple[Path, list[str]] | None:
    try:
        return path, read_captions(path)
    except InputError:
        return None


def _versions(file: Path) -> Iterator[tuple[str, bytes]]:
    """Each committed version of a file, newest first; none where there is no git or no history."""
    for revision in (ask_git("log", "--format=%h", "--", file.name, folder=file.parent) or b"").decode().split():
        content = ask_git("show", f"{revision}:./{file.name}", folder=file.parent)
        if content:
            yield revision, content
