"""The floor of a stage: what its matrix products alone would take, each timed in the very shape in which it ran."""

from __future__ import annotations

import collections
import dataclasses
import statistics
import time
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from auto_quantize_model.engine.machine.operands import rounded_product
from auto_quantize_model.engine.machine.products import product

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

_ROUNDS = 3
_MATRIX = 2
"""A vector has fewer dimensions."""


@dataclasses.dataclass(frozen=True, slots=True)
class Product:
    """One kind of matrix product: rows, inner size and columns, and how often side by side."""

    kernel: str
    """`torch` as the model has it, `replay` as replay has it."""
    rows: int
    inner: int
    columns: int
    batch: int = 1
    dtype: torch.dtype = torch.float32

    @property
    def flops(self) -> float:
        """What it takes of floating-point operations."""
        return 2.0 * self.batch * self.rows * self.inner * self.columns


class ProductsSeen(TorchDispatchMode):
    """Notes the matrix products that run, by stage. It slows small ones down, so the clock is for another run."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.by_stage: dict[str, collections.Counter[Product]] = collections.defaultdict(collections.Counter)
        self._since: collections.Counter[Product] = collections.Counter()

    def __call__(self, stage: str, _done: int, _total: int) -> None:
        """As a progress callback: what was seen since the last report belongs to this stage."""
        self.by_stage[stage] += self._since
        self._since = collections.Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Note a product, and let it run."""
        seen = _product_of(func, args)
        if seen is not None:
            self._since[seen] += 1
        return func(*args, **(kwargs or {}))


def _product_of(func: Any, args: Any) -> Product | None:
    name = func._schema.name
    if name in ("mkldnn::_linear_pointwise", "aten::linear"):
        rows, weight = args[:2]
        kernel = "torch" if name.startswith("aten") else "replay"
        return Product(kernel, rows.numel() // rows.shape[-1], weight.shape[1], len(weight), dtype=rows.dtype)
    # Without gradients, torch shows `linear` and `matmul` as they are; with them, what they are made of.
    if name == "aten::addmm":
        args = args[1:]
    if name in ("aten::mm", "aten::addmm", "aten::bmm", "aten::matmul"):
        left, right = args[:2]
        if left.dim() < _MATRIX or right.dim() < _MATRIX:
            return None
        inner, columns = right.shape[-2:]
        batch = right[..., 0, 0].numel()
        return Product("torch", left.numel() // inner // batch, inner, columns, batch, left.dtype)
    return None


def floor_seconds(seen: Mapping[Product, int], clock: Callable[[], float] = time.process_time) -> float:
    """What all products take one after the other, with nothing between them."""
    return sum(count * _seconds(each, clock) for each, count in seen.items())


def flops(seen: Mapping[Product, int]) -> float:
    """What all products take of floating-point operations."""
    return sum(count * each.flops for each, count in seen.items())


def _seconds(which: Product, clock: Callable[[], float]) -> float:
    run = _repeatable(which)
    run()
    taken = []
    for _ in range(_ROUNDS):
        start = clock()
        run()
        taken.append(clock() - start)
    return statistics.median(taken)


def _repeatable(which: Product) -> Callable[[], Tensor]:
    batch = (which.batch,) if which.batch > 1 else ()
    rows = torch.randn(*batch, which.rows, which.inner, dtype=which.dtype)
    weight = torch.randn(*batch, which.columns, which.inner, dtype=which.dtype)
    if which.kernel == "replay":
        return lambda: (
            product(rows, weight) if which.dtype == torch.float32 else rounded_product(rows, weight, "bfloat16")
        )
    return lambda: torch.matmul(rows, weight.mT)
