"""Where the captions of a case come from: one file or several, each read by what its name says it is."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING

from auto_quantize_model.captions.json_lines import read_json_lines
from auto_quantize_model.captions.parquet import read_parquet
from auto_quantize_model.captions.reading import read_captions
from auto_quantize_model.captions.samples import first_captions, is_blank, length
from auto_quantize_model.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from auto_quantize_model.captions.samples import Field, Sample

_OF_RECORDS = {".jsonl": read_json_lines, ".ndjson": read_json_lines, ".parquet": read_parquet}
"""What reads files of records, by suffix; any other is a file of lines."""
_REFUSED = {
    ".json": "write an object a line and call it .jsonl",
    **dict.fromkeys((".csv", ".tsv", ".arrow", ".feather"), "write it as .jsonl or .parquet"),
    **dict.fromkeys((".gz", ".bz2", ".xz", ".zst", ".zip"), "unpack it first"),
}


@dataclasses.dataclass(frozen=True, slots=True)
class CaptionSource:
    """Files, one after the other, and what of them is a caption."""

    files: tuple[Path, ...]
    field: Field
    max_chars: int | None = None
    """Longer captions do not count."""

    @property
    def name(self) -> str:
        """The files' names, without their folders."""
        return ", ".join(file.name for file in self.files)

    @property
    def place(self) -> str:
        """The files, as errors name them."""
        return ", ".join(map(str, self.files))

    @property
    def of_lines(self) -> bool:
        """Whether its files are plain text, a caption a line."""
        return not any(file.suffix.lower() in _OF_RECORDS for file in self.files)

    def of_file(self, file: Path) -> CaptionSource:
        """The same in another file."""
        return dataclasses.replace(self, files=(file,))

    def read(self, most: int | None = None) -> list[Sample]:
        """The first captions, or all of them; no file of records is read further than it must be."""
        fitting = (each for each in self._every() if self.max_chars is None or length(each) <= self.max_chars)
        captions = list(itertools.islice(fitting, most))
        if not captions:
            raise InputError(f"{self.place}: no caption{self._whose}; raise dataset.max_chars")
        return captions

    def first(self, needed: int, size: str) -> list[Sample]:
        """The captions that a size takes."""
        return self.enough(self.read(needed), needed, size)

    def enough(self, captions: list[Sample], needed: int, size: str) -> list[Sample]:
        """Those that a size takes of captions that were read."""
        return first_captions(self.place, captions, needed, size, self._whose)

    @property
    def _whose(self) -> str:
        return "" if self.max_chars is None else f" of at most {self.max_chars} characters"

    def _every(self) -> Iterator[Sample]:
        for file in self.files:
            empty = True
            for sample in _read(file, self.field):
                if not is_blank(sample):
                    empty = False
                    yield sample
            if empty:
                raise InputError(f"{file}: no caption in this file; it has no record, or none that holds any text")


def _read(file: Path, field: Field) -> Iterator[Sample]:
    suffix = file.suffix.lower()
    if suffix in _REFUSED:
        raise InputError(
            f"{file}: captions are lines of plain text, or records of .jsonl or .parquet; {_REFUSED[suffix]}"
        )
    reader = _OF_RECORDS.get(suffix)
    if reader is not None:
        yield from reader(file, field)
    elif field.form == "messages":
        raise InputError(f"{file}: plain text, which has no messages; name a .jsonl or .parquet file, or a text_key")
    else:
        yield from read_captions(file)
