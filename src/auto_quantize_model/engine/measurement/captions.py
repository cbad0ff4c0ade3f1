"""The captions that a measurement runs, those of one length together: nothing is padded."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torch import Tensor

    from auto_quantize_model.engine.capture.batches import TokenBatch

_LEAST_TOKENS = 2
"""A caption of fewer has no token that another predicts."""


@dataclasses.dataclass(frozen=True, slots=True)
class EqualCaptions:
    """Captions of one length."""

    numbers: tuple[int, ...]
    """Their places among all captions."""
    tokens: Tensor
    """A row a caption."""

    @property
    def targets(self) -> Tensor:
        """The tokens that are predicted."""
        return self.tokens[:, 1:]

    def split(self, most_tokens: int) -> Iterator[EqualCaptions]:
        """The same captions in parts of at most so many tokens, but at least one caption."""
        step = max(most_tokens // self.tokens.shape[1], 1)
        for start in range(0, len(self.numbers), step):
            part = slice(start, start + step)
            yield EqualCaptions(self.numbers[part], self.tokens[part])


def caption_tokens(batches: Iterable[TokenBatch]) -> list[Tensor]:
    """Every caption's own tokens, without the padding of its batch."""
    return [
        ids[mask.bool()] for batch in batches for ids, mask in zip(batch.input_ids, batch.attention_mask, strict=True)
    ]


def by_length(captions: Sequence[Tensor], most_tokens: int) -> list[EqualCaptions]:
    """Captions in stacks of one length, the shortest first; none of them has more than so many tokens if it can."""
    numbers: dict[int, list[int]] = {}
    for number, tokens in enumerate(captions):
        numbers.setdefault(len(tokens), []).append(number)
    return [
        part
        for length in sorted(numbers)
        if length >= _LEAST_TOKENS
        for part in EqualCaptions(
            tuple(numbers[length]), torch.stack([captions[number] for number in numbers[length]])
        ).split(most_tokens)
    ]
