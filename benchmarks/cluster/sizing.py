"""How long a pass would take on GPUs, computed: nothing here was run on one. Prints a table in Markdown.

Operations and bytes follow from a model's shape, as the engine counts them; what a GPU does in a second is assumed, and
how much longer than its products a stage takes is measured on a CPU (docs/measured.md).
"""

from __future__ import annotations

import argparse
import dataclasses
import sys

PROBES = 2
GRADIENTS = 1 + PROBES
ITEM = 2
"""Bytes of a bfloat16 number."""
PRODUCTS = 27
"""Of a group, for 30 cases, the unquantized one included: 3,152 + 120 products for SmolLM2's 120 groups."""
OVERHEAD = 2.0
"""How many times as long as its products alone a replay takes: 1.5 to 2.4 were measured on a CPU."""
BFLOAT16, FLOAT32 = 400e12, 45e12
"""Assumed: products a second, in operations, of a GPU like the H100."""
MEMORY = 2.5e12
"""Assumed: bytes a second that quantizing weights moves in such a GPU's memory."""
DISK, NETWORK = 2e9, 3e9
"""Assumed: bytes a second that a host reads of a checkpoint, and that go over its network (25 Gbit/s)."""
WEIGHT_FORMATS, COPIES = 5, 6
"""How many ways of quantizing weights the ten pairs have, and how often each number is read or written for one."""
GPU_BYTES = 80e9


@dataclasses.dataclass(frozen=True)
class Shape:
    """A language model, as far as it matters here."""

    name: str
    layers: int
    hidden: int
    heads: int
    key_value_heads: int
    intermediate: int
    vocabulary: int = 151936
    experts: int = 1
    active: int = 1
    head_size: int = 128

    @property
    def attention(self) -> list[tuple[int, int]]:
        """Inputs and outputs of its groups, a layer."""
        queries, keys = self.heads * self.head_size, self.key_value_heads * self.head_size
        return [(self.hidden, queries + 2 * keys), (queries, self.hidden)]

    @property
    def expert(self) -> list[tuple[int, int]]:
        """The same of one expert, or of the only one."""
        return [(self.hidden, 2 * self.intermediate), (self.intermediate, self.hidden)]

    @property
    def weights(self) -> int:
        """All that are quantized."""
        return self.layers * (_weights(self.attention) + self.experts * _weights(self.expert))

    @property
    def used(self) -> int:
        """Those that one token goes through."""
        return self.layers * (_weights(self.attention) + self.active * _weights(self.expert))

    @property
    def bytes(self) -> int:
        """Of the checkpoint, with embeddings and a head of its own."""
        return (self.weights + 2 * self.hidden * self.vocabulary) * ITEM

    @property
    def row_bytes(self) -> int:
        """What is captured of a token that is scored; experts are scored as one, at what their block returns."""
        widths = self.attention + ([(self.hidden, self.hidden)] if self.experts > 1 else self.expert)
        return self.layers * sum(inputs + GRADIENTS * outputs for inputs, outputs in widths) * ITEM


def _weights(groups: list[tuple[int, int]]) -> int:
    return sum(inputs * outputs for inputs, outputs in groups)


SHAPES = (
    Shape("4B", 36, 2560, 32, 8, 9728),
    Shape("32B", 64, 5120, 64, 8, 25600),
    Shape("235B, 22B active", 94, 4096, 64, 4, 1536, experts=128, active=8),
)


@dataclasses.dataclass(frozen=True)
class Seconds:
    """Of each stage of a pass."""

    load: float
    capture: float
    replay: float
    moving: float

    @property
    def total(self) -> float:
        """Rows move while others are replayed, but for the slower of both."""
        return self.load + self.capture + max(self.replay, self.moving)


def seconds(shape: Shape, gpus: int, captions: int, scored: int, tokens: int) -> Seconds | None:
    """Of a pass on so many GPUs, eight a host; None where the model fits no worker."""
    a_worker = max(1, -(-int(shape.bytes * 1.3) // int(GPU_BYTES)))
    if gpus < a_worker:
        return None
    workers, hosts = gpus // a_worker, -(-gpus // 8)
    rows = scored * tokens
    forward = 2 * shape.used
    capture = forward * (captions * tokens + rows * GRADIENTS) * OVERHEAD / BFLOAT16
    products = 2 * shape.used * rows * PRODUCTS * OVERHEAD / FLOAT32
    quantizing = shape.weights * 4 * COPIES * WEIGHT_FORMATS / MEMORY
    moved = shape.row_bytes * rows * (hosts - 1) / hosts
    return Seconds(shape.bytes / DISK, capture / workers, (products + quantizing) / workers, moved / hosts / NETWORK)


def row(shape: Shape, captions: int, scored: int, tokens: int) -> str:
    """Of the table."""
    cells = []
    for gpus in (1, 8, 64):
        its = seconds(shape, gpus, captions, scored, tokens)
        if its is None:
            cells.append("does not fit")
        else:
            parts = f"{its.load:.0f} + {its.capture:.0f} + {max(its.replay, its.moving):.0f}"
            cells.append(f"**{_shown(its.total)}** ({parts})")
    captured = shape.row_bytes * scored * tokens / 1e9
    return f"| {shape.name} | {shape.bytes / 1e9:.0f} GB | {tokens} | {captured:.1f} GB | {' | '.join(cells)} |"


def _shown(total: float) -> str:
    return f"{total:.0f} s" if total < 120 else f"{total / 60:.0f} min"  # noqa: PLR2004  two minutes


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--captions", type=int, default=512, help="Captions that calibrate (default: %(default)s)")
    parser.add_argument("--scored", type=int, default=128, help="Those that are scored (default: %(default)s)")
    given = parser.parse_args()
    lines = ["| model | weights | tokens a caption | captured | 1 GPU | 8 GPUs | 64 GPUs |"]
    lines.append("| --- | --- | --- | --- | --- | --- | --- |")
    lines += [row(shape, given.captions, given.scored, tokens) for shape in SHAPES for tokens in (16, 512)]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
