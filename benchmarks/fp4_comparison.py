"""Inputs on which two FP4 implementations are compared, and what counts as the same.

Triton divides with `div.full.f32`, which may be two units in the last place off. That shows only where a quotient is
that close to a rounding boundary, so a value whose result changes when all inputs move by four such units is left out
of the NVFP4 comparison. Where every scale is a power of two that division is exact, and nothing is left out. The MX
extension divides approximately (`div.approx.ftz.f32`) only to find a power of two, and nothing is left out either.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import torch
from modelopt.torch.quantization.qtensor import MXFP4QTensor, NVFP4QTensor

from auto_quantize_model.errors import UnavailableError
from auto_quantize_model.precision.fp4 import MX_BLOCK_SIZE, nvfp4

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    Nvfp4 = Callable[[Tensor, Tensor], Tensor]
    """Takes values and their absolute maximum."""
    Mxfp4 = Callable[[Tensor], Tensor]

KINDS = ("random", "tiny", "huge", "negative", "zero", "one")
DTYPES = (torch.float32, torch.bfloat16, torch.float16)
UNIT_AMAX = 6.0 * 448.0
"""With this maximum NVFP4's global scale is 1."""
LEFT_OUT = 0.05
"""The largest share of values that may be left out. Where values and maximum are bfloat16, 3 % lie at a boundary."""
_MARKS = [0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0]
_NUDGE = 2.0**-21


def inputs(kind: str, dtype: torch.dtype, device: str, width: int = 1000) -> Tensor:
    """Finite values of a kind, or `tied` ones; the width is by default no multiple of a block."""
    if kind == "tied":
        return tied_inputs(dtype, device)
    generator = torch.Generator(device).manual_seed(11)
    values = torch.randn(256, width, generator=generator, device=device)
    if kind == "tiny":
        values *= torch.exp2(torch.randint(-149, -118, (256, 1), generator=generator, device=device).float())
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


def tied_inputs(dtype: torch.dtype, device: str) -> Tensor:
    """Values halfway between two others, under scales that are powers of two."""
    generator = torch.Generator(device).manual_seed(12)
    marks = torch.tensor([sign * mark for mark in _MARKS for sign in (1, -1)], device=device)
    values = marks[torch.randint(len(marks), (256, 1008), generator=generator, device=device)]
    values[:, ::16] = 6.0
    return (values * torch.exp2(torch.randint(-3, 4, (256, 1), generator=generator, device=device).float())).to(dtype)


def decided(values: Tensor, amax: Tensor) -> Tensor:
    """Where no division that is a little off can change NVFP4's result."""
    exact = values.float()
    result = nvfp4(exact, amax)
    less, more = (nvfp4(exact * (1 + nudge), amax) for nudge in (-_NUDGE, _NUDGE))
    same: Tensor = (less == result) & (more == result)
    return same


@dataclasses.dataclass(frozen=True, slots=True)
class Differences:
    """How two results differ."""

    values: int
    left_out: int
    differ: int
    first: str
    """The first value that differs, as text; empty where none does."""

    @property
    def none(self) -> bool:
        """Whether every value is the same, but for at most a few that are left out."""
        return not self.differ and self.left_out <= LEFT_OUT * self.values


def differences(values: Tensor, ours: Tensor, theirs: Tensor, compared: Tensor | None = None) -> Differences:
    """Compare two results bit for bit, but for the sign of a zero; `compared` is where they must agree."""
    if (ours.dtype, ours.shape) != (theirs.dtype, theirs.shape):
        raise ValueError(f"{ours.dtype} {tuple(ours.shape)} against {theirs.dtype} {tuple(theirs.shape)}")
    differ = (ours != theirs) & ~(ours.isnan() & theirs.isnan())
    left_out = 0
    if compared is not None:
        left_out = int((~compared).sum())
        differ &= compared
    first = ""
    if differ.any():
        place = tuple(differ.nonzero()[0].tolist())
        value, our, their = (tensor[place].item() for tensor in (values, ours, theirs))
        first = f"at {place}: value {value!r}, ours {our!r}, theirs {their!r}"
    return Differences(differ.numel(), left_out, int(differ.sum()), first)


def nvfp4_kernel() -> Nvfp4:
    """ModelOpt's Triton kernel."""
    if torch.cuda.get_device_capability() < (8, 9):
        raise UnavailableError("ModelOpt's NVFP4 kernel needs compute capability 8.9")
    from modelopt.torch.kernels.quantization.gemm import fp4_fake_quant_block

    kernel: Nvfp4 = fp4_fake_quant_block
    return kernel


def mxfp4_kernel() -> Mxfp4:
    """ModelOpt's CUDA extension."""
    from modelopt.torch.quantization.extensions import get_cuda_ext_mx

    extension = get_cuda_ext_mx()
    if extension is None:
        raise UnavailableError("ModelOpt's MX extension cannot be built here")

    def kernel(values: Tensor) -> Tensor:
        types = extension.Types
        result: Tensor = extension.fused_amax_convert(values, MX_BLOCK_SIZE, types.E2M1, types.E8M0, None)
        return result

    return kernel


def nvfp4_qtensor(values: Tensor, amax: Tensor) -> Tensor:
    """Through ModelOpt's storage class, written by somebody else."""
    packed, scale, global_scale = NVFP4QTensor.quantize(values, 16, weights_scaling_factor_2=amax.float() / UNIT_AMAX)
    result: Tensor = packed.dequantize(scale=scale, double_scale=global_scale, block_sizes={-1: 16})
    return result


def mxfp4_qtensor(values: Tensor) -> Tensor:
    """Through ModelOpt's storage class, written by somebody else."""
    packed, scale = MXFP4QTensor.quantize(values, 32)
    result: Tensor = packed.dequantize(scale=scale, block_sizes={-1: 32})
    return result
