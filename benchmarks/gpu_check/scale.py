"""How large the check is: for a GPU, and for its rehearsal."""

from __future__ import annotations

import dataclasses

from benchmarks.random_qwen3_vl import Shape


@dataclasses.dataclass(frozen=True, slots=True)
class Scale:
    """Sizes, and whether the aims are those of this machine."""

    model: str
    shape: Shape
    dtype: str
    products: tuple[tuple[int, int, int], ...]
    """Rows, inner and outer size of the matrix products whose rate is measured."""
    reference: str
    """The embedded model's cases that both engines run in float32, as an expression."""
    bfloat16: str
    """Those that both run in bfloat16."""
    judged: bool
    """Whether this machine is meant to reach the aims of time and memory."""
    pace: float
    """How long a stage takes, as a multiple of what it is guessed to take in full."""


FULL = Scale(
    model="qwen3_vl_4b_shape",
    # Qwen3-VL-4B's language model.
    shape=Shape(36, 2560, 9728, heads=32, key_value_heads=8, vocabulary=151936, positions=262144),
    dtype="bfloat16",
    products=((1408, 2560, 6144), (1408, 2560, 19456), (1408, 9728, 2560), (8192, 8192, 8192)),
    reference="tiny and small",
    bfloat16="tiny and small",
    judged=True,
    pace=1.0,
)
REHEARSAL = Scale(
    model="reduced_shape",
    shape=Shape(2, 128, 256, heads=4, key_value_heads=2, vocabulary=512),
    dtype="float32",
    products=((1408, 128, 512), (1408, 256, 128)),
    reference="tiny and small",
    bfloat16="tiny and small and (wint8_afp16 or wfp8_afp8)",
    judged=False,
    pace=0.15,
)
