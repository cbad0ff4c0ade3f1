"""Probes: random gradients of the logits whose products see how the model's distribution moves.

For the softmax `p` of one position and a random sign for each vocabulary entry, the vector
`sqrt(p) * signs - p * (sqrt(p) . signs)` has the Fisher matrix of `p` as its mean outer product. So the square of a
small change of the logits, seen through it, is twice the KL divergence on average.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from auto_quantize_model.engine.capture.batches import TokenBatch

_TOKEN, _POSITION, _ENTRY = 0x2545F491, 0x1B873593, 0x3C6EF372
"""What tells apart numbers of different kinds that are equal."""
_FACTORS = (0x6C8E9CF5, 0x7FEB352D)
"""Odd, and within the signed 32 bits that torch multiplies in."""
_SIGN = -(1 << 31)

AT_ONCE = {"cpu": 1 << 17, "cuda": 1 << 26}
"""How many entries of the vocabulary, row after row, are worked out together: on CPU few enough to stay in cache."""


def probe_gradients(logits: Tensor, batch: TokenBatch, probes: int) -> Tensor:
    """What to send back through the model instead of the loss's gradient, by probe, from the counted positions' logits.

    Rows of different positions have independent signs, so that a caption's products may be added up before squaring.
    """
    result = logits.new_empty((probes, *logits.shape))
    hashes = _row_hashes(batch)
    entries = _mixed(torch.arange(logits.shape[-1], dtype=torch.int32, device=logits.device) ^ _ENTRY)
    step = max(AT_ONCE[logits.device.type] // len(entries), 1)
    for start in range(0, len(logits), step):
        part = slice(start, start + step)
        bits = _mixed(hashes[part, None] ^ entries[None, :])
        _fill(result[:, part], torch.softmax(logits[part].detach().float(), dim=-1), bits)
    return result


def _fill(gradients: Tensor, chances: Tensor, bits: Tensor) -> None:
    """The gradients of some rows, by probe; each bit of a hash is a probe's sign."""
    roots = chances.sqrt().view(torch.int32)
    for probe, gradient in enumerate(gradients):
        # A number's own sign is its highest bit.
        signed = (bits << (31 - probe)).bitwise_and_(_SIGN).bitwise_xor_(roots).view(torch.float32)
        gradient.copy_(signed.sub_(chances * signed.sum(dim=-1, keepdim=True)))


def _row_hashes(batch: TokenBatch) -> Tensor:
    """A 32-bit hash of the caption and the position in it, for every counted position.

    It depends on the caption's own tokens alone: not on its number, its batch, its padding or the device.
    """
    positions = (batch.attention_mask.cumsum(dim=1) - 1).int()
    terms = _mixed(batch.input_ids.int() ^ _mixed(positions ^ _TOKEN)) * batch.attention_mask.int()
    captions = _mixed(terms.sum(dim=1, dtype=torch.int32))
    return _mixed(captions[:, None] ^ _mixed(positions ^ _POSITION))[batch.counted]


def _mixed(values: Tensor) -> Tensor:
    """Every bit of the result depends on every bit of the value, which is overwritten: two rounds of multiplying."""
    for factor in _FACTORS:
        values = values.bitwise_xor_(_shifted(values, 16)).mul_(factor)
    return values.bitwise_xor_(_shifted(values, 15))


def _shifted(values: Tensor, places: int) -> Tensor:
    """Shifted right without the sign, which torch would draw in from the left."""
    return (values >> places).bitwise_and_((1 << (32 - places)) - 1)
