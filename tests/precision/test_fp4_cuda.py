"""Ours against ModelOpt's CUDA kernels, bit for bit.

Triton divides with `div.full.f32`, which may be two units in the last place off. That shows only where a quotient is
that close to a rounding boundary, so a value whose result changes when all inputs move by four such units is left out
of the NVFP4 comparison. Where every scale is a power of two that division is exact, and nothing is left out. The MX
extension divides approximately (`div.approx.ftz.f32`) only to find a power of two, and nothing is left out either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from auto_quantize_model.precision.fp4 import MXFP4_BLOCK_SIZE, mxfp4, nvfp4

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU"),
]

MARKS = [0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0]
NUDGE = 2.0**-21
LEFT_OUT = 0.02
UNIT_AMAX = 6.0 * 448.0
KINDS = ["random", "tiny", "huge", "negative", "zero", "one"]


def inputs(kind: str, dtype: torch.dtype) -> Tensor:
    generator = torch.Generator("cuda").manual_seed(11)
    values = torch.randn(256, 1000, generator=generator, device="cuda")
    if kind == "tiny":
        values *= torch.exp2(torch.randint(-149, -118, (256, 1), generator=generator, device="cuda").float())
    elif kind == "huge":
        values = values.clamp(-3, 3) * 1e38
    elif kind == "negative":
        values = -values.abs()
    elif kind == "zero":
        values = torch.zeros_like(values)
    elif kind == "one":
        values = values[:1, :1]
    values = values.to(dtype)
    return torch.where(values.isfinite(), values, 0.0)


def tied_inputs(dtype: torch.dtype) -> Tensor:
    generator = torch.Generator("cuda").manual_seed(12)
    marks = torch.tensor([sign * mark for mark in MARKS for sign in (1, -1)], device="cuda")
    values = marks[torch.randint(len(marks), (256, 1008), generator=generator, device="cuda")]
    values[:, ::16] = 6.0
    return (values * torch.exp2(torch.randint(-3, 4, (256, 1), generator=generator, device="cuda").float())).to(dtype)


def decided(values: Tensor, amax: Tensor) -> Tensor:
    exact = values.float()
    result = nvfp4(exact, amax)
    less, more = (nvfp4(exact * (1 + nudge), amax) for nudge in (-NUDGE, NUDGE))
    same: Tensor = (less == result) & (more == result)
    return same


def assert_same(values: Tensor, ours: Tensor, theirs: Tensor, compared: Tensor | None = None) -> None:
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    differ = (ours != theirs) & ~(ours.isnan() & theirs.isnan())
    if compared is not None:
        assert (~compared).float().mean() <= LEFT_OUT, f"{int((~compared).sum())} values are close to a boundary"
        differ &= compared
    if differ.any():
        first = tuple(differ.nonzero()[0].tolist())
        value, our, their = (tensor[first].item() for tensor in (values, ours, theirs))
        count = f"{int(differ.sum())} of {differ.numel()} values differ"
        pytest.fail(f"{count}; first at {first}: value {value!r}, ours {our!r}, theirs {their!r}")


@pytest.fixture
def nvfp4_kernel() -> Callable[[Tensor, Tensor], Tensor]:
    if torch.cuda.get_device_capability() < (8, 9):
        pytest.skip("ModelOpt's NVFP4 kernel needs compute capability 8.9")
    from modelopt.torch.kernels.quantization.gemm import fp4_fake_quant_block

    kernel: Callable[[Tensor, Tensor], Tensor] = fp4_fake_quant_block
    return kernel


@pytest.fixture
def mxfp4_kernel() -> Callable[[Tensor], Tensor]:
    from modelopt.torch.quantization.extensions import get_cuda_ext_mx

    extension = get_cuda_ext_mx()
    if extension is None:
        pytest.skip("ModelOpt's MX extension cannot be built here")

    def kernel(values: Tensor) -> Tensor:
        types = extension.Types
        result: Tensor = extension.fused_amax_convert(values, MXFP4_BLOCK_SIZE, types.E2M1, types.E8M0, None)
        return result

    return kernel


every_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)


@every_dtype
@pytest.mark.parametrize("kind", KINDS)
def test_nvfp4_equals_the_kernel(
    kind: str, dtype: torch.dtype, nvfp4_kernel: Callable[[Tensor, Tensor], Tensor]
) -> None:
    values = inputs(kind, dtype)
    amax = values.abs().amax()
    compared = decided(values, amax)
    assert_same(values, nvfp4(values, amax), nvfp4_kernel(values, amax), compared)


@every_dtype
def test_nvfp4_on_cpu_equals_the_kernel(dtype: torch.dtype, nvfp4_kernel: Callable[[Tensor, Tensor], Tensor]) -> None:
    # With this maximum, dividing by 6 * 448 and multiplying by the rounded reciprocal, as torch does on CUDA, agree.
    values, amax = inputs("random", dtype), torch.tensor(5.3, device="cuda")
    compared = decided(values, amax)
    assert_same(values, nvfp4(values.cpu(), amax.cpu()).cuda(), nvfp4_kernel(values, amax), compared)


@every_dtype
def test_nvfp4_ties_equal_the_kernel(dtype: torch.dtype, nvfp4_kernel: Callable[[Tensor, Tensor], Tensor]) -> None:
    values, amax = tied_inputs(dtype), torch.tensor(UNIT_AMAX, device="cuda")
    assert_same(values, nvfp4(values, amax), nvfp4_kernel(values, amax))


@every_dtype
@pytest.mark.parametrize("kind", KINDS)
def test_mxfp4_equals_the_kernel(kind: str, dtype: torch.dtype, mxfp4_kernel: Callable[[Tensor], Tensor]) -> None:
    values = inputs(kind, dtype)
    theirs = mxfp4_kernel(values)
    assert_same(values, mxfp4(values), theirs)
    assert_same(values, mxfp4(values.cpu()).cuda(), theirs)


@every_dtype
def test_mxfp4_ties_equal_the_kernel(dtype: torch.dtype, mxfp4_kernel: Callable[[Tensor], Tensor]) -> None:
    values = tied_inputs(dtype)
    assert_same(values, mxfp4(values), mxfp4_kernel(values))
