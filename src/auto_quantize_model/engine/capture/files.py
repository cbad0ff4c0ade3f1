"""Captured batches on disk: one safetensors file a batch, whole or not there, each tensor with its checksum."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import zlib
from typing import TYPE_CHECKING, Any

import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from auto_quantize_model.engine.capture.identity import ABOUT, digest
from auto_quantize_model.errors import CaseError, InputError, one_line
from auto_quantize_model.options import CAPTURE_DIR
from auto_quantize_model.whole_files import PART, replace_file, replace_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from auto_quantize_model.engine.capture.batches import TokenBatch
    from auto_quantize_model.engine.capture.recording import CapturedBatch

_CHECKSUMS = "crc32"
_MAXIMA, _OUTSIDE, _INPUT = "maxima", "outside", "input."


class DamagedCaptureError(CaseError):
    """A captured batch cannot be read back. Its file has been removed, so that capturing again replaces it."""


class CaptureFiles:
    """The batches of one pass in a folder that several processes and passes may share."""

    def __init__(self, folder: Path, names: Sequence[str], about: Mapping[str, Any]) -> None:
        """Take the batches' names; `about` says what the folder's is made of, for people and for the listing."""
        self.folder = folder
        self._names = names
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

    def lock(self, index: int) -> Path:
        """The file to lock while a batch is made."""
        return self._file(index).with_suffix(".lock")

    def write(self, index: int, batch: CapturedBatch) -> None:
        """Write a batch."""
        tensors = _on_host(_named(batch))
        checksums = {name: _checksum(tensor) for name, tensor in tensors.items()}
        metadata = {_CHECKSUMS: json.dumps(checksums)}
        try:
            replace_file(self._file(index), lambda file: save_file(tensors, file, metadata))
        except (OSError, SafetensorError) as error:
            raise unwritable(self.folder, error) from None

    def read_head(self, index: int) -> tuple[Tensor, Tensor]:
        """A batch's maxima, and its largest gradient where there should be none."""
        return self._tensor(index, _MAXIMA), self._tensor(index, _OUTSIDE)

    def read_rows(self, index: int, group: str, layers: Iterable[str]) -> tuple[Tensor | None, dict[str, list[Tensor]]]:
        """The input rows of a group and the gradient rows of its layers, as far as the batch has them."""
        names = self._checksums(index)
        inputs = self._tensor(index, _INPUT + group) if _INPUT + group in names else None
        gradients = {layer: list(self._gradients(index, layer)) for layer in layers}
        return inputs, {layer: of_layer for layer, of_layer in gradients.items() if of_layer}

    def _gradients(self, index: int, layer: str) -> Iterator[Tensor]:
        names = self._checksums(index)
        for number in itertools.count():
            if _gradient(number, layer) not in names:
                return
            yield self._tensor(index, _gradient(number, layer))

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
            tensor: Tensor = self._opened[index][0].get_tensor(name)
        except SafetensorError as error:
            raise self._damaged(index, str(error)) from None
        if _checksum(tensor) != expected.get(name):
            raise self._damaged(index, f"the checksum of '{name}' is another")
        return tensor

    def _checksums(self, index: int) -> dict[str, int]:
        if index not in self._opened:
            try:
                opened: Any = safe_open(self._file(index), framework="pt")
                checksums = json.loads((opened.metadata() or {})[_CHECKSUMS])
            except (SafetensorError, OSError, KeyError, ValueError) as error:
                raise self._damaged(index, str(error)) from None
            self._opened[index] = (opened, checksums)
        stated: dict[str, int] = self._opened[index][1]
        return stated

    def _damaged(self, index: int, reason: str) -> DamagedCaptureError:
        file = self._file(index)
        self._opened.pop(index, None)
        file.unlink(missing_ok=True)
        return DamagedCaptureError(f"{file}: damaged ({' '.join(reason.split())})")


def batch_names(batches: Sequence[TokenBatch], scored: Iterable[int], probes: int) -> list[str]:
    """What tells the batches of one model apart: their tokens, and what is done with them."""
    scoring = set(scored)
    return [_name(batch, probes if index in scoring else None) for index, batch in enumerate(batches)]


def _name(batch: TokenBatch, probes: int | None) -> str:
    # A batch that scores also runs the head and backward: only the same work gives the same bits.
    parts = (batch.input_ids, batch.attention_mask, batch.counted)
    shape = str(tuple(batch.input_ids.shape)).encode()
    name = digest(shape, *(part.cpu().numpy().tobytes() for part in parts))
    return f"{name}-{'calibrated' if probes is None else f'scored-{probes}'}"


def _named(batch: CapturedBatch) -> dict[str, Tensor]:
    return {
        _MAXIMA: batch.maxima,
        _OUTSIDE: batch.outside,
        **{_INPUT + name: tensor for name, tensor in batch.inputs.items()},
        **{
            _gradient(number, name): tensor
            for name, tensors in batch.gradients.items()
            for number, tensor in enumerate(tensors)
        },
    }


def _gradient(number: int, layer: str) -> str:
    return f"gradient.{number}.{layer}"


def _on_host(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies on the host, waited for once and not tensor by tensor."""
    copies = {name: to_host(tensor).contiguous() for name, tensor in tensors.items()}
    for device in {tensor.device for tensor in tensors.values() if tensor.device.type == "cuda"}:
        torch.cuda.synchronize(device)
    return copies


def to_host(tensor: Tensor) -> Tensor:
    """A copy in pinned memory, under way when this returns; what is on the host already is not copied."""
    if tensor.device.type != "cuda":
        return tensor
    copy = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    return copy.copy_(tensor, non_blocking=True)


def _checksum(tensor: Tensor) -> int:
    return zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy().data)


def unwritable(folder: Path, error: Exception) -> InputError:
    """What to say where captures cannot be written."""
    reason = getattr(error, "strerror", None) or one_line(error)
    fix = "free space, or name" if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) else "name"
    return InputError(
        f"{folder}: captures cannot be written: {reason}; {fix} another folder for them with {CAPTURE_DIR.both_flags}"
    )
