"""What was measured, on disk: for the other processes of a run, and for a run that goes on from one interrupted."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from auto_quantize_model.engine.capture.identity import digest
from auto_quantize_model.engine.machine.checked_json import read_or_remove, write_checked
from auto_quantize_model.errors import one_line
from auto_quantize_model.scores import Measured

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from auto_quantize_model.reporting import Notice


@dataclasses.dataclass(frozen=True, slots=True)
class MeasuredPlace:
    """Where what is measured in a pass is kept."""

    folder: Path
    model: Any
    """All that the model's outputs depend on, as JSON: passes of several models may share the folder."""
    notice: Notice
    processes: int = 1
    """How many processes measure between them."""

    def files(self, asked: object) -> MeasuredFiles:
        """The files of what is asked, which JSON tells from all else."""
        name = digest(json.dumps([self.model, asked], sort_keys=True, default=str).encode())
        return MeasuredFiles(self.folder, name, self.notice)


class MeasuredFiles:
    """One file a part of what is measured. What was written or read stays in memory too."""

    def __init__(self, folder: Path, name: str, notice: Notice) -> None:
        """`name` tells what is measured."""
        self._folder = folder
        self._name = name
        self._notice = notice
        self._found: dict[int, list[Measured]] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def has(self, part: int) -> bool:
        """Whether a part is measured, by any process, and can be read."""
        if part not in self._found:
            document = read_or_remove(self._file(part), self._notice, "measuring again")
            if document is None:
                return False
            self._found[part] = [_from_json(each) for each in document]
        return True

    def lock(self, part: int) -> Path:
        """The file to lock while a part is measured."""
        return self._file(part).with_suffix(".lock")

    def write(self, part: int, measured: Sequence[Measured]) -> None:
        """Write a part; where that cannot be, it stays in memory."""
        self._found[part] = list(measured)
        try:
            write_checked(self._file(part), [_to_json(each) for each in measured])
        except OSError as error:
            reason = error.strerror or one_line(error)
            self._notice(f"{self._folder}: what is measured cannot be written: {reason}; going on without")

    def read(self, part: int) -> list[Measured]:
        """A part that is there, whichever process wrote it."""
        return self._found[part]

    def _file(self, part: int) -> Path:
        return self._folder / f"measured-{self._name}-{part}.json"


def _to_json(measured: Measured) -> list[list[float]]:
    return [each.tolist() for each in (measured.kl, measured.loss_change, measured.agreed, measured.tokens)]


def _from_json(values: Sequence[Sequence[float]]) -> Measured:
    kl, loss_change, agreed, tokens = values
    return Measured(np.array(kl), np.array(loss_change), np.array(agreed), np.array(tokens, dtype=np.int64))
