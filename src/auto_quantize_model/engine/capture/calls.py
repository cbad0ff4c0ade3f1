"""What a module was called with, so that it can be called again: its tensors, and the form they came in."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_TENSOR = "tensor"
_KINDS: dict[str, Callable[[list[Any]], Any]] = {"list": list, "tuple": tuple}


class CallError(ValueError):
    """A module was called with something that cannot be kept."""


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """One call of a module."""

    form: str
    """JSON: the positional and the named arguments, with a number where a tensor was."""
    tensors: tuple[Tensor, ...]

    @classmethod
    def of(cls, positional: Sequence[Any], named: Mapping[str, Any]) -> Call:
        """Keep a call; the tensors are not copied."""
        tensors: list[Tensor] = []
        form = {
            "positional": [_described(each, tensors) for each in positional],
            "named": {name: _described(each, tensors) for name, each in named.items()},
        }
        return cls(json.dumps(form), tuple(tensors))

    @property
    def nbytes(self) -> int:
        """What its tensors take."""
        return sum(tensor.nbytes for tensor in self.tensors)

    def moved(self, move: Callable[[Tensor], Tensor]) -> Call:
        """The same call with other tensors."""
        return Call(self.form, tuple(move(tensor) for tensor in self.tensors))

    def repeat(self, module: Callable[..., Any]) -> Tensor:
        """Call a module the same way; of several results the first is meant, as ModelOpt takes it."""
        form = json.loads(self.form)
        positional = [_restored(each, self.tensors) for each in form["positional"]]
        named = {name: _restored(each, self.tensors) for name, each in form["named"].items()}
        return first_result(module(*positional, **named))

    def to_named(self) -> dict[str, Tensor]:
        """As named tensors, for a file."""
        form = torch.frombuffer(bytearray(self.form.encode()), dtype=torch.uint8)
        return {"form": form, **{str(number): tensor for number, tensor in enumerate(self.tensors)}}

    @classmethod
    def from_named(cls, named: Mapping[str, Tensor]) -> Call:
        """Back from named tensors."""
        form = named["form"].numpy().tobytes().decode()
        return cls(form, tuple(named[str(number)] for number in range(len(named) - 1)))


def first_result(output: Any) -> Tensor:
    """A module's result, or the first of several."""
    result: Tensor = output[0] if isinstance(output, tuple) else output
    return result


def _described(value: Any, tensors: list[Tensor]) -> Any:
    if isinstance(value, Tensor):
        tensors.append(value.detach())
        return {_TENSOR: len(tensors) - 1}
    if isinstance(value, list | tuple) and type(value).__name__ in _KINDS:
        return {type(value).__name__: [_described(each, tensors) for each in value]}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise CallError(f"it is called with a {type(value).__name__}")


def _restored(value: Any, tensors: Sequence[Tensor]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    if kind == _TENSOR:
        return tensors[inner]
    return _KINDS[kind]([_restored(each, tensors) for each in inner])
