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
    embedded: str
    """The embedded model's cases that are compared with their baselines and shared by workers, as an expression."""
    reference: str
    """Those that both engines run in float32."""
    bfloat16: str
    """Those that both run in bfloat16."""
    precision: str
    """Those that run with exact and with rounded products."""
    loop: int
    """How many cases of the big model ModelOpt's own loop runs at most."""
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
    embedded="tiny",
    reference="tiny and small",
    bfloat16="tiny and small",
    precision="tiny",
    loop=5,
    judged=True,
    pace=1.0,
)
REHEARSAL = Scale(
    model="reduced_shape",
    shape=Shape(2, 128, 256, heads=4, key_value_heads=2, vocabulary=512),
    dtype="float32",
    products=((1408, 128, 512), (1408, 256, 128)),
    # On the CPU the tests compare every pair, and the suite itself every case.
    embedded="tiny and small",
    reference="tiny and small and (wfp4_afp4 or wint8_aint8)",
    bfloat16="tiny and small and wint8_afp16",
    precision="tiny and small",
    loop=3,
    judged=False,
    pace=0.15,
)
