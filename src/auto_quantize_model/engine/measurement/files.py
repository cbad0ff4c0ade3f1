"""What was measured, on disk, for as long as the processes of one run share it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from auto_quantize_model.scores import Measured
from auto_quantize_model.whole_files import write_files

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class MeasuredFiles:
    """One file a part of the assignments."""

    def __init__(self, folder: Path) -> None:
        """`folder` belongs to this run and to these assignments alone."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def has(self, part: int) -> bool:
        """Whether a part is measured."""
        return (self._folder / _name(part)).is_file()

    def lock(self, part: int) -> Path:
        """The file to lock while a part is measured."""
        return self._folder / f"{part}.lock"

    def write(self, part: int, measured: Sequence[Measured]) -> None:
        """Write a part; JSON keeps every bit of a float."""
        values = [[each.kl, each.loss_change, each.agreed, each.tokens] for each in measured]
        write_files(self._folder, {_name(part): json.dumps([[array.tolist() for array in each] for each in values])})

    def read(self, part: int) -> list[Measured]:
        """Read a part, whichever process wrote it."""
        document = json.loads((self._folder / _name(part)).read_text(encoding="utf-8"))
        return [
            Measured(np.array(kl), np.array(loss_change), np.array(agreed), np.array(tokens, dtype=np.int64))
            for kl, loss_change, agreed, tokens in document
        ]


def _name(part: int) -> str:
    return f"measured-{part}.json"
