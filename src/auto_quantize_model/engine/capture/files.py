"""Captured batches on disk: one safetensors file a batch, whole or not there, each tensor with its checksum."""

from __future__ import annotations

import contextlib
import errno
import json
import shutil
import time
import zlib
from typing import TYPE_CHECKING, Any

import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from auto_quantize_model.engine.capture.identity import ABOUT, digest
from auto_quantize_model.engine.capture.named import NamedTensors, on_host, to_named
from auto_quantize_model.errors import CaseError, InputError, one_line
from auto_quantize_model.interrupts import interrupts_prevail
from auto_quantize_model.options import CAPTURE_DIR
from auto_quantize_model.reporting import no_notice
from auto_quantize_model.whole_files import PART, replace_file, replace_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from auto_quantize_model.engine.capture.batches import TokenBatch
    from auto_quantize_model.engine.capture.recording import CapturedBatch, Head
    from auto_quantize_model.engine.capture.units import Unit
    from auto_quantize_model.reporting import Notice

_CHECKSUMS = "crc32"
SPARE_BYTES = 4 << 30
"""How much of what is in memory is written for a next run."""
SPARE_SHARE = 0.04
"""How much of the time that capture takes may go into that: a disk may be slow, and few runs are interrupted."""


class DamagedCaptureError(CaseError):
    """A captured batch cannot be read back. Its file has been removed, so that capturing again replaces it."""


class CaptureFiles:
    """The batches of one pass in a folder that several processes and passes may share."""

    spare = False
    """Whether this run can do without them."""

    def __init__(
        self, folder: Path, names: Sequence[str], about: Mapping[str, Any], units: Iterable[Unit] = ()
    ) -> None:
        """Take the batches' names, and which are made together.

        `about` says what the folder's is made of, for people and for the listing.
        """
        self.folder = folder
        self._names = names
        self._made_with = {index: unit[0] for unit in units for index in unit}
        self._opened: dict[int, Any] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            replace_text(folder / ABOUT, json.dumps(about, indent=2) + "\n")
            self._remove_unfinished()
        except OSError as error:
            # A folder that can only be read will do, if all is there.
            if not all(self.has(index) for index in range(len(self._names))):
                raise unwritable(folder, error) from None

    def has(self, index: int) -> bool:
        """Whether a batch is there; whether it is whole shows when it is read."""
        return self._file(index).is_file()

    def count(self) -> int:
        """How many batches are there."""
        return sum(map(self.has, range(len(self._names))))

    def lock(self, index: int) -> Path:
        """The file to lock while a batch is made: one for all that are made together."""
        return self._file(self._made_with.get(index, index)).with_suffix(".lock")

    def write(self, index: int, batch: CapturedBatch) -> None:
        """Write a batch."""
        tensors = on_host(to_named(batch))
        checksums = {name: _checksum(tensor) for name, tensor in tensors.items()}
        metadata = {_CHECKSUMS: json.dumps(checksums)}
        try:
            with interrupts_prevail():
                replace_file(self._file(index), lambda file: save_file(tensors, file, metadata))
        except (OSError, SafetensorError) as error:
            raise unwritable(self.folder, error) from None

    def read_head(self, index: int) -> Head:
        """What of a batch is no rows."""
        return self._tensors(index).head()

    def read_part(self, index: int, names: Iterable[str]) -> CapturedBatch:
        """What a batch has of some layers and modules."""
        return self._tensors(index).part(names)

    def _tensors(self, index: int) -> NamedTensors:
        return NamedTensors(self._checksums(index), lambda name: self._tensor(index, name))

    def _remove_unfinished(self) -> None:
        """Remove what killed processes had begun to write; who still writes holds the batch's lock."""
        for index, name in enumerate(self._names):
            for part in self.folder.glob(f".{name}.safetensors.*{PART}"):
                with contextlib.suppress(Timeout), FileLock(self.lock(index), blocking=False):
                    part.unlink(missing_ok=True)

    def _file(self, index: int) -> Path:
        return self.folder / f"{self._names[index]}.safetensors"

    def _tensor(self, index: int, name: str) -> Tensor:
        expected = self._checksums(index)
        try:
            with interrupts_prevail():
                tensor: Tensor = self._opened[index][0].get_tensor(name)
        except SafetensorError as error:
            raise self._damaged(index, str(error)) from None
        if _checksum(tensor) != expected.get(name):
            raise self._damaged(index, f"the checksum of '{name}' is another")
        return tensor

    def _checksums(self, index: int) -> dict[str, int]:
        if index not in self._opened:
            try:
                with interrupts_prevail():
                    opened: Any = safe_open(self._file(index), framework="pt")
                    checksums = json.loads((opened.metadata() or {})[_CHECKSUMS])
            except (SafetensorError, OSError, KeyError, ValueError) as error:
                raise self._damaged(index, str(error)) from None
            # A tensor whose name was damaged on either side would be taken for one that the batch has not got.
            if set(checksums) != set(opened.keys()):
                raise self._damaged(index, "its tensors are not those that it has checksums of")
            self._opened[index] = (opened, checksums)
        stated: dict[str, int] = self._opened[index][1]
        return stated

    def _damaged(self, index: int, reason: str) -> DamagedCaptureError:
        file = self._file(index)
        self._opened.pop(index, None)
        file.unlink(missing_ok=True)
        return DamagedCaptureError(f"{file}: damaged ({' '.join(reason.split())})")


class SpareFiles(CaptureFiles):
    """Batches that are in memory too, written for a run that goes on from this one, as far as that costs little."""

    spare = True

    def __init__(
        self,
        folder: Path,
        names: Sequence[str],
        about: Mapping[str, Any],
        units: Iterable[Unit] = (),
        notice: Notice = no_notice,
    ) -> None:
        """What cannot be written is told once."""
        super().__init__(folder, names, about, units)
        self._notice = notice
        self._left = min(SPARE_BYTES, shutil.disk_usage(folder).free // 2)
        self._began = time.perf_counter()
        self._seconds = 0.0

    def write(self, index: int, batch: CapturedBatch) -> None:
        """Write a batch if there is room for it, and time."""
        began = time.perf_counter()
        if batch.nbytes > self._left or self._seconds > SPARE_SHARE * (began - self._began):
            return
        self._left -= batch.nbytes
        try:
            super().write(index, batch)
        except InputError as error:
            self._left = -1
            self._notice(f"{error}; this run goes on, but the next one cannot go on from it")
        self._seconds += time.perf_counter() - began


def batch_names(batches: Sequence[TokenBatch], units: Iterable[Unit], scored: Iterable[int], probes: int) -> list[str]:
    """What tells the batches of one model apart: their tokens, what is done with them, and what runs beside them."""
    tokens = [_digest(batch) for batch in batches]
    scoring = set(scored)
    names = list(tokens)
    for unit in units:
        beside = [tokens[index].encode() for index in unit]
        for place, index in enumerate(unit):
            # A batch that scores also runs the head and backward: only the same work gives the same bits.
            done = f"scored-{probes}" if index in scoring else "calibrated"
            name = tokens[index] if len(unit) == 1 else digest(str(place).encode(), *beside)
            names[index] = f"{name}-{done}"
    return names


def _digest(batch: TokenBatch) -> str:
    parts = (batch.input_ids, batch.attention_mask, batch.counted)
    shape = str(tuple(batch.input_ids.shape)).encode()
    return digest(shape, *(part.cpu().numpy().tobytes() for part in parts))


def _checksum(tensor: Tensor) -> int:
    return zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy().data)


def unwritable(folder: Path, error: Exception) -> InputError:
    """What to say where captures cannot be written."""
    reason = getattr(error, "strerror", None) or one_line(error)
    fix = "free space, or name" if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) else "name"
    return InputError(
        f"{folder}: captures cannot be written: {reason}; {fix} another folder for them with {CAPTURE_DIR.both_flags}"
    )
