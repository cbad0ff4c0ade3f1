"""A captured batch as tensors with a name each, and back: what lies in a file of one, or goes to another host."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import torch

from auto_quantize_model.engine.capture.calls import Call
from auto_quantize_model.engine.capture.recording import CapturedBatch, Head

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from torch import Tensor

_MAXIMA, _UNPADDED, _OUTSIDE = "maxima", "unpadded", "outside"
_INPUT, _INNER, _PROBLEM = "input.", "inner.", "problem."


class NamedTensors:
    """A batch under the names that `to_named` gave, each tensor fetched when it is asked for."""

    def __init__(self, names: Collection[str], get: Callable[[str], Tensor]) -> None:
        self._names = names
        self._get = get

    def head(self) -> Head:
        """What of the batch is no rows."""
        inner = {name: self._get(_INNER + name) for name in self._after(_INNER)}
        problems = {name: self._get(_PROBLEM + name).numpy().tobytes().decode() for name in self._after(_PROBLEM)}
        maxima = self._get(_MAXIMA)
        unpadded = self._get(_UNPADDED) if _UNPADDED in self._names else maxima
        return Head(maxima, self._get(_OUTSIDE), inner, problems, unpadded)

    def part(self, names: Iterable[str]) -> CapturedBatch:
        """What the batch has of some layers and modules."""
        nothing = torch.empty(0)
        part = CapturedBatch(nothing, nothing)
        for name in names:
            if _INPUT + name in self._names:
                part.inputs[name] = self._get(_INPUT + name)
            gradients = list(self._gradients(name))
            if gradients:
                part.gradients[name] = gradients
            of_call = list(self._after(_call(name)))
            if of_call:
                part.calls[name] = Call.from_named({each: self._get(_call(name) + each) for each in of_call})
        return part

    def _gradients(self, layer: str) -> Iterator[Tensor]:
        for number in itertools.count():
            if _gradient(number, layer) not in self._names:
                return
            yield self._get(_gradient(number, layer))

    def _after(self, prefix: str) -> Iterator[str]:
        return (name.removeprefix(prefix) for name in self._names if name.startswith(prefix))


def to_named(batch: CapturedBatch) -> dict[str, Tensor]:
    """Every tensor of a batch, and what else there is of it as tensors."""
    return {
        _MAXIMA: batch.maxima,
        **({} if batch.unpadded is None else {_UNPADDED: batch.unpadded}),
        _OUTSIDE: batch.outside,
        **{_INPUT + name: tensor for name, tensor in batch.inputs.items()},
        **{
            _gradient(number, name): tensor
            for name, tensors in batch.gradients.items()
            for number, tensor in enumerate(tensors)
        },
        **{
            _call(name) + part: tensor for name, call in batch.calls.items() for part, tensor in call.to_named().items()
        },
        **{_INNER + name: maximum for name, maximum in batch.inner.items()},
        **{
            _PROBLEM + name: torch.frombuffer(bytearray(reason.encode()), dtype=torch.uint8)
            for name, reason in batch.problems.items()
        },
    }


def on_host(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies on the host, waited for once and not tensor by tensor."""
    # What several modules were called with is one tensor, and a file holds each by itself.
    seen: set[int] = set()
    copies: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        copies[name] = (tensor.clone() if id(tensor) in seen else to_host(tensor)).contiguous()
        seen.add(id(tensor))
    for device in {tensor.device for tensor in tensors.values() if tensor.device.type == "cuda"}:
        torch.cuda.synchronize(device)
    return copies


def to_host(tensor: Tensor) -> Tensor:
    """A copy in pinned memory, under way when this returns; what is on the host already is not copied."""
    if tensor.device.type != "cuda":
        return tensor
    copy = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    return copy.copy_(tensor, non_blocking=True)


def _call(module: str) -> str:
    return f"call.{module}#"


def _gradient(number: int, layer: str) -> str:
    return f"gradient.{number}.{layer}"
