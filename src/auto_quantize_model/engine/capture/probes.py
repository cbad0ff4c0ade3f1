"""Probes: random gradients of the logits whose products see how the model's distribution moves.

For the softmax `p` of one position and a random sign for each vocabulary entry, the vector
`sqrt(p) * signs - p * (sqrt(p) . signs)` has the Fisher matrix of `p` as its mean outer product. So the square of a
small change of the logits, seen through it, is twice the KL divergence on average.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from auto_quantize_model.engine.capture.batches import TokenBatch

_TOKEN, _POSITION, _ENTRY = 0x2545F491, 0x1B873593, 0x3C6EF372
"""What tells apart numbers of different kinds that are equal."""
_FACTORS = (0x6C8E9CF5, 0x7FEB352D)
"""Odd, and within the signed 32 bits that torch multiplies in."""


def probe_gradients(logits: Tensor, batch: TokenBatch, probes: int) -> Iterator[Tensor]:
    """What to send back through the model instead of the loss's gradient, from the counted positions' logits.

    Rows of different positions have independent signs, so that a caption's products may be added up before squaring.
    """
    chances = torch.softmax(logits.detach().float(), dim=-1)
    roots = chances.sqrt()
    bits = _hashes(batch, logits.shape[-1])
    for probe in range(probes):
        signed = torch.where((bits >> probe) & 1 == 0, roots, -roots)
        yield signed.sub_(chances * signed.sum(dim=-1, keepdim=True)).to(logits.dtype)


def _hashes(batch: TokenBatch, vocabulary: int) -> Tensor:
    """A 32-bit hash of the caption, the position in it and the vocabulary entry, for every counted position.

    It depends on the caption's own tokens alone: not on its number, its batch, its padding or the device.
    """
    positions = (batch.attention_mask.cumsum(dim=1) - 1).int()
    terms = _mixed(batch.input_ids.int() ^ _mixed(positions ^ _TOKEN)) * batch.attention_mask.int()
    captions = _mixed(terms.sum(dim=1, dtype=torch.int32))
    rows = _mixed(captions[:, None] ^ _mixed(positions ^ _POSITION))[batch.counted]
    entries = _mixed(torch.arange(vocabulary, dtype=torch.int32, device=rows.device) ^ _ENTRY)
    return _mixed(rows[:, None] ^ entries[None, :])


def _mixed(values: Tensor) -> Tensor:
    """Every bit of the result depends on every bit of the value: two rounds of multiplying and shifting."""
    for factor in _FACTORS:
        values = (values ^ _shifted(values, 16)) * factor
    return values ^ _shifted(values, 15)


def _shifted(values: Tensor, places: int) -> Tensor:
    """Shifted right without the sign, which torch would draw in from the left."""
    return (values >> places) & ((1 << (32 - places)) - 1)
