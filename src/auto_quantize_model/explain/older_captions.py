"""Finding the text that an older manifest was calibrated with, by the SHA-256 of its captions."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from auto_quantize_model.captions.samples import captions_sha256
from auto_quantize_model.cases.builtin import builtin_folder
from auto_quantize_model.errors import InputError
from auto_quantize_model.git import ask_git

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from auto_quantize_model.captions.samples import Sample
    from auto_quantize_model.captions.source import CaptionSource
    from auto_quantize_model.cases.suite import Case


@dataclasses.dataclass(frozen=True, slots=True)
class Prefix:
    """The first captions of a text: what tells one text from another."""

    count: int
    sha256: str

    def begins(self, captions: Sequence[Sample]) -> bool:
        """Whether a text begins with these captions."""
        return len(captions) >= self.count and captions_sha256(captions[: self.count]) == self.sha256


@dataclasses.dataclass(frozen=True, slots=True)
class Text:
    """Captions, as many as matter, where they are and what to call them."""

    source: CaptionSource
    name: str
    captions: Sequence[Sample]

    @property
    def count(self) -> int:
        """How many captions it has, if not more than matter."""
        return len(self.captions)


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
        self.source = case.captions
        self.samples = case.dataset.samples(case.size)
        self._named = named
        self._sources = sources
        self._old = old
        self._most = max(old.count, self.samples)
        captions = self.source.read(self._most)
        mine = self.source.enough(captions, self.samples, case.size)
        # A size's file may be a prefix of a longer one, which then answers for more captions.
        self.longest = self._among(Prefix(self.samples, captions_sha256(mine)), [self.source, *self._nearby()]) or Text(
            self.source, self.source.name, captions
        )
        self.same = old.begins(self.longest.captions)

    def older(self, scratch: Path) -> Text | None:
        """The older text: the one that the user names, or else one nearby, or else one of the git history."""
        given = self._sources.given
        if given is not None:
            text = self._among(self._old, [self.source.of_file(given)])
            if text is None:
                raise InputError(
                    f"--captions {given}: its first {self._old.count} captions are not those of the baseline; their "
                    f"SHA-256 must be {self._old.sha256}"
                )
            return text
        return self._among(self._old, self._nearby(), self._named) or self._in_history(scratch)

    def _nearby(self) -> Iterator[CaptionSource]:
        suffixes = {file.suffix for file in self.source.files}
        folders = (*(file.parent for file in self.source.files), *self._sources.folders, builtin_folder() / "data")
        for folder in dict.fromkeys(place.resolve() for place in folders):
            files = (file for suffix in suffixes for file in folder.glob(f"*{suffix}"))
            yield from (self.source.of_file(file) for file in sorted(files))

    def _among(self, prefix: Prefix, sources: Iterable[CaptionSource], named: str | None = None) -> Text | None:
        """The text with the most captions of those that begin with some captions.

        It is called `named` where one of them bears that name: the longest only answers for more captions than that
        one holds.
        """
        texts = [text for text in map(self._text_in, sources) if text is not None and prefix.begins(text.captions)]
        if not texts:
            return None
        longest = max(texts, key=lambda text: text.count)
        bears_it = any(text.name == named for text in texts)
        return dataclasses.replace(longest, name=str(named)) if bears_it else longest

    def _text_in(self, source: CaptionSource) -> Text | None:
        try:
            return Text(source, source.name, source.read(self._most))
        except InputError:
            return None

    def _in_history(self, scratch: Path) -> Text | None:
        """The newest committed version that begins with the older captions, written to the scratch folder."""
        present = self.source.files
        older = [] if "/" in self._named else [(present[0].with_name(self._named),)]
        for files in dict.fromkeys([*older, present]):
            for revision, contents in _versions(files):
                copies = tuple(scratch / f"{revision}-{number}-{file.name}" for number, file in enumerate(files))
                for copy, content in zip(copies, contents, strict=True):
                    copy.write_bytes(content)
                text = self._among(self._old, [dataclasses.replace(self.source, files=copies)])
                if text is not None:
                    return dataclasses.replace(
                        text, name=f"{', '.join(file.name for file in files)} of commit {revision}"
                    )
        return None


def _versions(files: Sequence[Path]) -> Iterator[tuple[str, list[bytes]]]:
    """Each committed version of files, newest first; none where there is no git or no history."""
    named = [str(file.absolute()) for file in files]
    for revision in (ask_git("log", "--format=%h", "--", *named, folder=files[0].parent) or b"").decode().split():
        contents = [ask_git("show", f"{revision}:./{file.name}", folder=file.parent) for file in files]
        if all(contents):
            yield revision, [content for content in contents if content]
