"""A language model as a row of blocks that can be run from one of them to another."""

from __future__ import annotations

import contextlib
import functools
import re
from typing import TYPE_CHECKING, Any

import torch

from auto_quantize_model.engine.machine.products import product
from auto_quantize_model.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor, nn

    from auto_quantize_model.families.loaded import LoadedModel
    from auto_quantize_model.scores import Group


_IN_BLOCK = re.compile(r"(?P<row>.*?)\.(?P<number>\d+)\.")
"""A layer's name up to the number of its block."""


class _Arrived(Exception):  # noqa: N818  no error: it ends a run where the next block would begin
    def __init__(self, states: Tensor) -> None:
        super().__init__()
        self.states = states


class Blocks:
    """The blocks of a model. The model itself runs them, so masks, positions and the head are its own business.

    Blocks that a run leaves out pass on what they get; the last before the first one that runs hands over the states
    that the caller has.
    """

    def __init__(self, loaded: LoadedModel, blocks: Sequence[nn.Module]) -> None:
        self._loaded = loaded
        self._blocks = blocks
        self._first, self._last = 0, len(blocks)
        self._given: Tensor | None = None
        self._others: tuple[Any, ...] | None = None

    def __len__(self) -> int:
        """How many blocks there are."""
        return len(self._blocks)

    def states(self, tokens: Tensor) -> list[Tensor]:
        """What every block gets, and what the head gets of the last, for captions as they are."""
        states = [self.run(tokens, None, 0, 0)]
        for block in range(len(self._blocks)):
            states.append(self.run(tokens, states[-1], block, block + 1))
        return states

    def run(self, tokens: Tensor, given: Tensor | None, first: int, last: int) -> Tensor:
        """Run the blocks from `first` up to but without `last`; `given` is what the first gets, if not the tokens."""
        try:
            self._call(tokens, given, first, last)
        except _Arrived as arrived:
            return arrived.states
        raise CaseError("a block of the model did not run, so no KL divergence can be measured")

    def logits(self, tokens: Tensor, given: Tensor | None, first: int) -> Tensor:
        """The same to the end: logits for every token but the last of each caption."""
        logits: Tensor = self._call(tokens, given, first, len(self._blocks) + 1).logits
        return logits.float()

    def _call(self, tokens: Tensor, given: Tensor | None, first: int, last: int) -> Any:
        self._first, self._last, self._given = first, last, given
        try:
            return self._loaded.model(input_ids=tokens, attention_mask=torch.ones_like(tokens), use_cache=False)
        finally:
            self._given = None

    def forward(self, block: int, original: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Stands in for a block's own `forward`."""
        name = None if arguments else "hidden_states"
        states = arguments[0] if name is None else named[name]
        if block == self._first == 0 and self._given is not None:
            states = self._given
        if block == self._last:
            raise _Arrived(states)
        if block >= self._first:
            replaced = (states, *arguments[1:]) if name is None else arguments
            result = original(*replaced, **(named if name is None else {**named, name: states}))
            self._others = result[1:] if isinstance(result, tuple) else None
            if block + 1 == self._last == len(self._blocks):
                raise _Arrived(result[0] if isinstance(result, tuple) else result)
            return result
        if block + 1 == self._first and self._given is not None:
            states = self._given.to(states.device)
        return states if self._others is None else (states, *self._others)


@contextlib.contextmanager
def in_blocks(loaded: LoadedModel, groups: Sequence[Group]) -> Iterator[Blocks]:
    """Let a model be run block by block for the duration of a `with` block."""
    modules = _row_of_blocks(loaded, groups)
    blocks = Blocks(loaded, modules)
    with contextlib.ExitStack() as undo:
        for number, module in enumerate(modules):
            undo.callback(_replace_forward(module, functools.partial(blocks.forward, number, module.forward)))
        for module in loaded.model.modules():
            if _is_plain(module):
                undo.callback(_replace_forward(module, functools.partial(_linear, module)))
        head = loaded.model.get_submodule(loaded.head)
        undo.callback(head.register_forward_pre_hook(_all_but_the_last).remove)
        yield blocks


def block_of(name: str) -> int:
    """The number of the block that a layer is in."""
    match = _IN_BLOCK.match(name)
    assert match is not None  # noqa: S101  `in_blocks` has refused such a model
    return int(match["number"])


def _row_of_blocks(loaded: LoadedModel, groups: Sequence[Group]) -> list[nn.Module]:
    rows = set()
    for group in groups:
        match = _IN_BLOCK.match(group.name)
        if match is None:
            raise CaseError(f"'{group.name}' is in no numbered block of the model, so no KL divergence can be measured")
        rows.add(match["row"])
    if len(rows) != 1:
        raise CaseError("the model has more than one row of blocks, so no KL divergence can be measured")
    return list(loaded.model.get_submodule(rows.pop()))


def _replace_forward(module: nn.Module, stand_in: Callable[..., Any]) -> Callable[[], None]:
    """Returns what puts the module's own back."""
    kept = module.__dict__.get("forward")
    module.forward = stand_in

    def undo() -> None:
        del module.forward
        if kept is not None:
            module.forward = kept

    return undo


def _is_plain(module: nn.Module) -> bool:
    """Whether a layer does what its weight says and nothing else: not a subclass, and nobody stands in for it."""
    return type(module) is torch.nn.Linear and "forward" not in vars(module)


def _linear(module: nn.Linear, rows: Tensor) -> Tensor:
    return product(rows, module.weight, module.bias)


def _all_but_the_last(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    states, *others = inputs
    return (states[:, :-1], *others)
