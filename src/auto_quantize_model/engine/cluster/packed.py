"""Captured rows as bytes, a part a group: what travels from the worker that captured to the one that replays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import load, save

from auto_quantize_model.engine.capture.named import NamedTensors, on_host, to_named
from auto_quantize_model.engine.capture.recording import CapturedBatch, Head, names_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from auto_quantize_model.scores import Group

Part = dict[int, "NDArray[np.uint8]"]
"""What one group saw in some batches, by their positions in the plan."""


def packed(taken: Mapping[int, CapturedBatch], group: Group) -> Part:
    """The rows of a group in each batch that has some."""
    return {index: _bytes(part) for index, batch in taken.items() if (part := _only(batch, names_of(group))).nbytes}


def head_of(batch: CapturedBatch) -> Head:
    """What of a batch is no rows, on the host."""
    head = batch.head
    inner = {name: tensor.cpu() for name, tensor in head.inner.items()}
    return Head(head.maxima.cpu(), head.outside.cpu(), inner, head.problems, head.unpadded.cpu())


class Parts:
    """The rows of the group that is replayed just now."""

    def __init__(self) -> None:
        self._parts: dict[int, dict[str, torch.Tensor]] = {}

    def take(self, parts: Iterable[Part]) -> None:
        """Take those of a group, and let go of those of the one before."""
        self._parts = {index: load(packed.tobytes()) for part in parts for index, packed in part.items()}

    def read_part(self, index: int, names: Iterable[str], /) -> CapturedBatch:
        """What a batch has of the group."""
        tensors = self._parts.get(index, {})
        return NamedTensors(tensors, tensors.__getitem__).part(names)


def _only(batch: CapturedBatch, names: Iterable[str]) -> CapturedBatch:
    wanted = set(names)
    nothing = torch.empty(0)
    return CapturedBatch(
        nothing,
        nothing,
        inputs={name: each for name, each in batch.inputs.items() if name in wanted},
        gradients={name: each for name, each in batch.gradients.items() if name in wanted},
        calls={name: each for name, each in batch.calls.items() if name in wanted},
    )


def _bytes(batch: CapturedBatch) -> NDArray[np.uint8]:
    # As an array it goes into the cluster's memory as it is, which bytes do not.
    return np.frombuffer(save(on_host(to_named(batch))), dtype=np.uint8)
