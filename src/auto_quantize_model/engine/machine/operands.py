"""Products whose operands are rounded to what tensor cores take, with sums in float32.

That is right only where a difference is formed before its product: rounding then costs a share of the difference. The
difference of two rounded products would be off by a share of the products, which may be more than the difference.
"""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Final, Literal

import torch

from auto_quantize_model.engine.machine.products import product

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor

    from auto_quantize_model.cases.settings import ReplayPrecision

Operands = Literal["float32", "tf32", "bfloat16"]
"""What a product's factors are rounded to; float32: not at all."""

_FIRST_WITH_TENSOR_CORES: Final = (8, 0)
"""The compute capability of the first GPUs that multiply TF32 and bfloat16."""
_SPLITTER: Final = 2.0**13 + 1
"""float32 has 24 binary digits, TF32 the first 11 of them."""
_BFLOAT16_ONEDNN: Final = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
_OF_PROCESSORS: Final = ("avx512_bf16", "amx_bf16")
"""The instructions with which oneDNN multiplies bfloat16 faster than float32."""


def choose_operands(asked: ReplayPrecision, dtype: str, device: torch.device) -> Operands:
    """What replay's products take; what is chosen of itself follows from the model and the hardware, never a timing."""
    if asked == "exact" or (asked == "auto" and not (dtype == "bfloat16" and has_fast_products(device))):
        return "float32"
    return "tf32" if device.type == "cuda" else "bfloat16"


def has_fast_products(device: torch.device) -> bool:
    """Whether the device multiplies rounded operands in hardware."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= _FIRST_WITH_TENSOR_CORES
    return _BFLOAT16_ONEDNN and _processor_multiplies_bfloat16()


def rounded(values: Tensor, operands: Operands) -> Tensor:
    """Values as the product takes them, to the nearest; what is no number stays none."""
    if operands == "bfloat16":
        return values.to(torch.bfloat16)
    if operands == "tf32":
        # Hardware would cut the digits off instead, and all results with them would be too small.
        high = values * _SPLITTER
        return high.sub_(high - values)
    return values


def rounded_product(rows: Tensor, weight: Tensor, operands: Operands) -> Tensor:
    """`rows @ weight.T` in float32, of operands that are rounded already."""
    if operands == "tf32" and rows.device.type == "cuda":
        with _tf32_in_hardware():
            return torch.nn.functional.linear(rows, weight)
    if operands == "bfloat16" and has_fast_products(rows.device):
        # Sums are in float32; what comes out of oneDNN is rounded once more, each number by itself.
        result: Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, None, "none", [], "")
        return result.float()
    # The same operands where no hardware has them: as exact, and slower than not rounding at all.
    return product(rows.float(), weight.float())


@contextlib.contextmanager
def _tf32_in_hardware() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@functools.cache
def _processor_multiplies_bfloat16() -> bool:
    # Older versions of torch cannot say.
    capabilities: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(each) for each in _OF_PROCESSORS)
