"""The measured KL divergence of assignments: which groups are quantized, and how."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch

from auto_quantize_model.engine.measurement.blocks import block_of, in_blocks
from auto_quantize_model.engine.measurement.captions import by_length
from auto_quantize_model.engine.measurement.divergence import Before
from auto_quantize_model.engine.measurement.quantizing import GroupQuantizer
from auto_quantize_model.errors import CaseError
from auto_quantize_model.scores import Measured

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

    from torch import Tensor

    from auto_quantize_model.engine.measurement.blocks import Blocks
    from auto_quantize_model.engine.measurement.captions import EqualCaptions
    from auto_quantize_model.engine.measurement.quantizing import Assignment, Quantized
    from auto_quantize_model.families.loaded import LoadedModel
    from auto_quantize_model.scores import Group

_T = TypeVar("_T")

TOKENS_AT_ONCE = {"cpu": 2048, "cuda": 1 << 15}
"""How many tokens run through a block together."""
LOGITS_AT_ONCE = {"cpu": 1 << 24, "cuda": 1 << 28}
"""How many logits are compared together: on CPU few enough that they are not all out of the caches."""
LOGITS_BYTES = 1 << 32
"""How much the unquantized logits and chances may take; captions beyond that wait for another round."""
_BYTES_A_LOGIT = 2 * 4
"""A logit and its chance, in float32."""
STATES_BYTES = 1 << 30
"""How much the states of assignments that run side by side may take."""
_REPRODUCED = 1e-2
"""How far logits may be from those of the whole model when it is run in parts: more is no rounding."""


def measure(
    loaded: LoadedModel,
    groups: Sequence[Group],
    captions: Sequence[Tensor],
    assignments: Sequence[Assignment],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[Measured]:
    """Measure each assignment on captions, given as their tokens; equal assignments are measured once."""
    distinct: dict[Hashable, Assignment] = {assignment_key(each): each for each in assignments}
    with torch.inference_mode(), in_blocks(loaded, groups) as blocks:
        work = _Measurement(loaded, blocks, groups, captions)
        measured = work.measure(list(distinct.values()), progress)
    found = dict(zip(distinct, measured, strict=True))
    return [found[assignment_key(each)] for each in assignments]


def assignment_key(assignment: Assignment) -> frozenset[tuple[str, Hashable]]:
    """Equal for assignments that quantize the same groups in the same way."""
    return frozenset((name, how.key) for name, how in assignment.items())


@dataclasses.dataclass(frozen=True, slots=True)
class _Stack:
    """Captions of one length, with what the unquantized model makes of them."""

    captions: EqualCaptions
    states: list[Tensor]
    """What each block gets, and what the head gets."""
    before: Before


class _Forked:
    """An assignment, and its states once they have left those of the unquantized model."""

    def __init__(self, assignment: Assignment, captions: int) -> None:
        self.sums = np.zeros((3, captions))
        """Of each caption: the divergence, the change of the loss, and how often the first choice is the same."""
        self.states: dict[int, Tensor] = {}
        """By the number of the stack."""
        self._by_block: dict[int, dict[str, Quantized]] = {}
        for name, how in assignment.items():
            self._by_block.setdefault(block_of(name), {})[name] = how
        self.first, self.last = min(self._by_block, default=0), max(self._by_block, default=0)

    def in_block(self, block: int) -> Assignment:
        """What of it is in one block."""
        return self._by_block.get(block, {})


class _Measurement:
    """What the measurement of all assignments shares."""

    def __init__(
        self, loaded: LoadedModel, blocks: Blocks, groups: Sequence[Group], captions: Sequence[Tensor]
    ) -> None:
        kind = loaded.device.type
        self._blocks = blocks
        self._tokens_at_once = TOKENS_AT_ONCE[kind]
        self._most_rows = max(LOGITS_AT_ONCE[kind] // loaded.vocabulary, 1)
        self._quantizer = GroupQuantizer(loaded, groups)
        self._count = len(captions)
        self._tokens = np.array([max(len(each) - 1, 0) for each in captions])
        equal = by_length(captions, min(self._tokens_at_once, self._most_rows))
        logits = [(each, each.tokens.numel() * loaded.vocabulary * _BYTES_A_LOGIT) for each in equal]
        self._rounds = list(_within(logits, LOGITS_BYTES))

    def measure(self, assignments: Sequence[Assignment], progress: Callable[[int, int], None]) -> list[Measured]:
        """The measured values, in the order of the assignments."""
        forked = [_Forked(each, self._count) for each in assignments]
        total, done = len(forked) * len(self._rounds), 0
        for captions in self._rounds:
            stacks = [self._stack(each) for each in captions]
            self._check(stacks[0])
            size = sum(stack.states[0].nbytes for stack in stacks)
            by_start = [(each, size * (each.last > each.first)) for each in sorted(forked, key=lambda each: each.first)]
            for wave in _within(by_start, STATES_BYTES):
                self._run(wave, stacks)
                done += len(wave)
                progress(done, total)
        return [Measured(kl, loss, agreed, self._tokens) for kl, loss, agreed in (each.sums for each in forked)]

    def _stack(self, captions: EqualCaptions) -> _Stack:
        states = self._blocks.states(captions.tokens)
        logits = self._blocks.logits(captions.tokens, states[-1], len(self._blocks))
        return _Stack(captions, states, Before(logits.flatten(0, 1), captions.targets.flatten()))

    def _check(self, stack: _Stack) -> None:
        """Refuse a model whose blocks get more from one another than their states."""
        whole = self._blocks.logits(stack.captions.tokens, None, 0).flatten(0, 1)
        middle = len(self._blocks) // 2
        parts = self._blocks.logits(stack.captions.tokens, stack.states[middle], middle).flatten(0, 1)
        spread = whole.std()
        if not all(bool((each - whole).abs().max() <= _REPRODUCED * spread) for each in (stack.before.logits, parts)):
            raise CaseError("the model cannot be run block by block, so no KL divergence can be measured")

    def _run(self, wave: Sequence[_Forked], stacks: Sequence[_Stack]) -> None:
        for block in range(len(self._blocks)):
            for assignment, members in _alike(wave, block):
                with self._quantizer.quantized(assignment):
                    for number, stack in enumerate(stacks):
                        self._advance(members, block, number, stack)
            self._quantizer.forget()
            done = [each for each in wave if each.last == block]
            for number, stack in enumerate(stacks):
                self._finish(done, block, number, stack)

    def _advance(self, members: Sequence[_Forked], block: int, number: int, stack: _Stack) -> None:
        """Through one block, with what is quantized there."""
        for part in self._at_once(members, stack, self._tokens_at_once):
            given = torch.cat([each.states.pop(number, stack.states[block]) for each in part])
            states = self._blocks.run(stack.captions.tokens.repeat(len(part), 1), given, block, block + 1)
            for each, its_states in zip(part, states.chunk(len(part)), strict=True):
                each.states[number] = its_states

    def _finish(self, members: Sequence[_Forked], block: int, number: int, stack: _Stack) -> None:
        """From behind the last block in which something is quantized to the end."""
        tokens = stack.captions.tokens
        for part in self._at_once(members, stack, self._tokens_at_once):
            given = torch.cat([each.states.pop(number) for each in part])
            if block + 1 < len(self._blocks):
                given = self._blocks.run(tokens.repeat(len(part), 1), given, block + 1, len(self._blocks))
            its_states = iter(given.chunk(len(part)))
            for few in self._at_once(part, stack, self._most_rows):
                self._compare(few, torch.cat([next(its_states) for _ in few]), stack)

    def _compare(self, members: Sequence[_Forked], states: Tensor, stack: _Stack) -> None:
        captions = stack.captions
        logits = self._blocks.logits(captions.tokens.repeat(len(members), 1), states, len(self._blocks))
        found = stack.before.divergence(logits.view(len(members), *stack.before.logits.shape))
        of_tokens = torch.stack([each.double() for each in (found.kl, found.loss_change, found.agrees)], dim=1)
        sums = of_tokens.view(len(members), 3, *captions.targets.shape).sum(dim=-1)
        for each, of_captions in zip(members, sums.cpu().numpy(), strict=True):
            each.sums[:, list(captions.numbers)] = of_captions

    def _at_once(self, members: Sequence[_Forked], stack: _Stack, most_tokens: int) -> Iterator[Sequence[_Forked]]:
        step = max(most_tokens // stack.captions.tokens.numel(), 1)
        for start in range(0, len(members), step):
            yield members[start : start + step]


def _alike(wave: Iterable[_Forked], block: int) -> Iterable[tuple[Assignment, list[_Forked]]]:
    """The assignments that are at work in a block, those together that quantize the same there."""
    alike: dict[Hashable, tuple[Assignment, list[_Forked]]] = {}
    for each in wave:
        if each.first <= block <= each.last:
            here = each.in_block(block)
            alike.setdefault(assignment_key(here), (here, []))[1].append(each)
    return alike.values()


def _within(items: Iterable[tuple[_T, int]], limit: int) -> Iterator[list[_T]]:
    """In order, as many together as their sizes are within a limit, but at least one."""
    together: list[_T] = []
    used = 0
    for each, size in items:
        if together and used + size > limit:
            yield together
            together, used = [], 0
        together.append(each)
        used += size
    if together:
        yield together
