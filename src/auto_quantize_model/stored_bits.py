"""What a quantized weight really takes, scales included: ModelOpt's own count of bits may leave them out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_PLAIN_SCALE = 16
"""The bits of a block's scale where the format does not say: a half."""
_WEIGHTS = "*weight_quantizer"


def stored_bits(config: Mapping[str, Any]) -> tuple[float, str] | None:
    """Bits a weight, its block's scales included, and which scales there are beside them, in words.

    `config` is a resolved configuration of ModelOpt's, as a manifest has it; None where it does not quantize weights in
    one way that can be counted.
    """
    rules = config.get("quant_cfg", ())
    entries = [each for each in rules if each.get("quantizer_name") == _WEIGHTS]
    if not entries:
        # A pair that names modules says the same of each of them.
        entries = [each for each in rules if each.get("cfg") and each["quantizer_name"].endswith(_WEIGHTS[1:])][:1]
    attributes = entries[0].get("cfg") if len(entries) == 1 else None
    if not isinstance(attributes, dict):
        return None
    bits = _bits(attributes.get("num_bits"))
    blocks = attributes.get("block_sizes")
    if blocks is None:
        return bits, "and a scale per tensor" if attributes.get("axis") is None else "and a scale per channel"
    sizes = [size for key, size in blocks.items() if str(key).lstrip("-").isdecimal()]
    if not sizes or not all(isinstance(size, int) and size > 0 for size in sizes):
        return None
    size = math.prod(sizes)
    scale = blocks.get("scale_bits")
    each = _PLAIN_SCALE if scale is None else _scale_bits(scale)
    # Block scales of few bits are themselves scaled, once a tensor, unless they are powers of two.
    return bits + each / size, "and a scale per tensor" if scale is not None and scale[-1] else ""


def describe_stored_bits(config: Mapping[str, Any]) -> str | None:
    """The same as a short text."""
    stored = stored_bits(config)
    return None if stored is None else f"{stored[0]:g} {stored[1]}".strip()


def _bits(number: Any) -> float:
    """Of a whole number, or of a floating one with its sign, exponent and mantissa."""
    return float(number) if isinstance(number, int | float) else float(1 + sum(number))


def _scale_bits(scale: Any) -> int:
    """An exponent alone has no sign."""
    exponent, mantissa = scale
    return int(exponent + mantissa + (mantissa > 0))
