"""Writing the caption files of the three calibration sizes, each a prefix of the next."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from auto_quantize_model.captions.samples import first_captions
from auto_quantize_model.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

SIZE_CAPTIONS = {"small": 16, "medium": 128, "large": 512}
LARGEST = max(SIZE_CAPTIONS.values())


def write_nested(folder: Path, stem: str, captions: Sequence[str]) -> list[Path]:
    """Write `<stem>_<size>.txt` for every size, all of them or none; returns their paths, smallest first."""
    contents = {
        file: ("\n".join(first_captions(file, captions, count, size)) + "\n").encode()
        for size, count in SIZE_CAPTIONS.items()
        for file in [folder / f"{stem}_{size}.txt"]
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace_all(contents)
    except OSError as error:
        raise InputError(f"{folder}: captions cannot be written: {error.strerror}") from None
    return list(contents)


def _replace_all(contents: Mapping[Path, bytes]) -> None:
    """Write beside the files first, so that a full disk leaves the old ones as they were."""
    temporary = {file: file.with_name(f".{file.name}.{os.getpid()}") for file in contents}
    try:
        for file, content in contents.items():
            temporary[file].write_bytes(content)
        for file in contents:
            temporary[file].replace(file)
    finally:
        for leftover in temporary.values():
            leftover.unlink(missing_ok=True)
