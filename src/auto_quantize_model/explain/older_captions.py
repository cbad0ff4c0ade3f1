"""Finding the text that an older manifest was calibrated with, by the SHA-256 of its captions."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from auto_quantize_model.captions.reading import captions_sha256, first_captions, read_captions
from auto_quantize_model.cases.builtin import builtin_folder
from auto_quantize_model.errors import InputError
from auto_quantize_model.git import ask_git

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from auto_quantize_model.cases.suite import Case


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


@dataclasses.dataclass(frozen=True, slots=True)
class CaptionSources:
    """Where the older captions may be, apart from the folder of the present ones and its git history."""

    given: Path | None = None
    """The file that the user says it is."""
    folders: tuple[Path, ...] = ()


class CaptionSearch:
    """The present captions of a case, and where their older version may lie."""

    def __init__(self, case: Case, old: Prefix, named: str, sources: CaptionSources) -> None:
        """`named` is what the older manifest calls its captions."""
        self.file = case.captions_file
        self.samples = case.dataset.samples(case.size)
        self._named = named
        self._sources = sources
        self._old = old
        captions = first_captions(self.file, read_captions(self.file), self.samples, case.size)
        present = Prefix(self.samples, captions_sha256(captions))
        # A size's file may be a prefix of a longer one, which then answers for more captions.
        self.longest = find_among(present, [self.file, *self._nearby_files()]) or CaptionFile(
            self.file, self.file.name, len(captions)
        )
        self.same = old.begins(read_captions(self.longest.path))

    def older(self, scratch: Path) -> CaptionFile | None:
        """The older text: the one that the user names, or else one nearby, or else one of the git history."""
        given = self._sources.given
        if given is not None:
            file = find_among(self._old, [given])
            if file is None:
                raise InputError(
                    f"--captions {given}: its first {self._old.count} captions are not those of the baseline; their "
                    f"SHA-256 must be {self._old.sha256}"
                )
            return file
        file = find_among(self._old, self._nearby_files(), self._named)
        for name in dict.fromkeys((self._named, self.file.name)):
            file = file or find_in_history(self._old, self.file.with_name(name), scratch)
        return file

    def _nearby_files(self) -> Iterator[Path]:
        folders = (self.file.parent, *self._sources.folders, builtin_folder() / "data")
        for folder in dict.fromkeys(each.resolve() for each in folders):
            yield from sorted(folder.glob("*.txt"))


def find_among(prefix: Prefix, files: Iterable[Path], named: str | None = None) -> CaptionFile | None:
    """The file with the most captions of those that begin with some captions.

    It is called `named` where one of them bears that name: the longest file only answers for more captions than that
    one holds.
    """
    texts = [text for text in map(_captions_in, files) if text is not None and prefix.begins(text[1])]
    if not texts:
        return None
    path, captions = max(texts, key=lambda text: len(text[1]))
    bears_it = any(file.name == named for file, _ in texts)
    return CaptionFile(path, str(named) if bears_it else path.name, len(captions))


def find_in_history(prefix: Prefix, file: Path, scratch: Path) -> CaptionFile | None:
    """The newest committed version of a file that begins with some captions, written to the scratch folder."""
    for revision, content in _versions(file):
        path = scratch / f"{revision}-{file.name}"
        path.write_bytes(content)
        version = find_among(prefix, [path])
        if version is not None:
            return dataclasses.replace(version, name=f"{file.name} of commit {revision}")
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
