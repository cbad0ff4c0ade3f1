"""NVFP4 and the MX formats on CPU: fake quantization with the semantics of ModelOpt's CUDA kernels.

ModelOpt 0.47 has these formats as CUDA kernels only: `fp4_fake_quant_block` and `static_blockwise_fp4_fake_quant`
(Triton) and `fused_amax_convert`. The functions here give the kernels' results for finite values, but for the sign of a
zero, and pass no gradients: sensitivity needs those of the unquantized model only.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from auto_quantize_model.errors import CaseError
from auto_quantize_model.precision.formats import NVFP4_BLOCK_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

NVFP4_BACKEND = "auto_quantize_model_nvfp4"
MX_BLOCK_SIZE = 32

_E2M1_MAX = 6.0
_E4M3_MAX = 448.0
_SMALLEST_NVFP4_SCALE = 1e-5
_FLOAT32 = torch.finfo(torch.float32)
_LARGEST_SUBNORMAL = _FLOAT32.smallest_normal - _FLOAT32.smallest_normal * _FLOAT32.eps
_EXPONENT_BITS = 0x7F800000
_MANTISSA_BITS = 0x007FFFFF
# Two float32 buffers of this many values fit in a core's second-level cache.
CHUNK_PER_THREAD = 1 << 16


@dataclasses.dataclass(frozen=True, slots=True)
class MXFormat:
    """The elements of a block that shares a power of two."""

    name: str
    largest: float
    round_: Callable[[Tensor, Tensor], Tensor]
    """Rounds in place to what the format can hold, with a scratch buffer; nothing is above the largest."""

    @property
    def backend(self) -> str:
        """Its name as a quantization backend of ModelOpt."""
        return f"auto_quantize_model_{self.name.lower()}"


@torch.no_grad()
def nvfp4(values: Tensor, amax: Tensor) -> Tensor:
    """Quantize to NVFP4 and back: blocks of 16, each with an E4M3 scale, under one scale from `amax`'s maximum."""
    global_scale = _divided(amax.to(values.device).float().amax(), _E2M1_MAX * _E4M3_MAX)
    global_scale = torch.where(global_scale > 0, global_scale, 1e-12)

    def quantize_(blocks: Tensor, scratch: Tensor) -> None:
        block_amax = torch.abs(blocks, out=scratch).amax(dim=-1, keepdim=True)
        scale = block_amax.div_(_E2M1_MAX * global_scale).clamp_(max=_E4M3_MAX)
        scale = scale.to(torch.float8_e4m3fn).float().mul_(global_scale)
        scale = torch.where(scale >= _SMALLEST_NVFP4_SCALE, scale, 1.0)
        _round_to_e2m1_(blocks.div_(scale), scratch).mul_(scale)

    return _by_blocks(values, NVFP4_BLOCK_SIZE, quantize_)


@torch.no_grad()
def mx(values: Tensor, elements: MXFormat) -> Tensor:
    """Quantize to an MX format and back: blocks of 32, each with the least power of two that saturates nothing."""
    return _by_blocks(values, MX_BLOCK_SIZE, functools.partial(_mx_, elements))


def mxfp4(values: Tensor) -> Tensor:
    """Quantize to MXFP4 and back."""
    return mx(values, MX_FORMATS[2, 1])


@contextlib.contextmanager
def static_blocks_on_cpu() -> Iterator[None]:
    """Let ModelOpt quantize blocks of NVFP4 with calibrated scales on CPU, where it takes no backend for that."""
    from modelopt.torch.quantization.nn.modules import tensor_quantizer

    kernel = tensor_quantizer.static_blockwise_fp4_fake_quant

    def on_any_device(values: Tensor, *others: Any) -> Any:
        return kernel(values, *others) if values.device.type == "cuda" else _static_nvfp4(values, *others)

    tensor_quantizer.static_blockwise_fp4_fake_quant = on_any_device
    try:
        yield
    finally:
        tensor_quantizer.static_blockwise_fp4_fake_quant = kernel


def register_cpu_backends() -> None:
    """Make both formats known to ModelOpt as quantization backends; doing it again changes nothing."""
    from modelopt.torch.quantization.nn import is_registered_quant_backend, register_quant_backend

    entrypoints: dict[str, Any] = {NVFP4_BACKEND: _nvfp4_entrypoint}
    entrypoints |= {each.backend: functools.partial(_mx_entrypoint, each) for each in MX_FORMATS.values()}
    for name, entrypoint in entrypoints.items():
        if not is_registered_quant_backend(name):
            register_quant_backend(name, entrypoint)


def _nvfp4_entrypoint(inputs: Tensor, quantizer: Any) -> Tensor:
    _check_block_size("NVFP4", quantizer, NVFP4_BLOCK_SIZE, inputs.dim())
    return nvfp4(inputs, quantizer._get_amax(inputs))  # the calibrated maximum, else this tensor's


def _mx_entrypoint(elements: MXFormat, inputs: Tensor, quantizer: Any) -> Tensor:
    _check_block_size(elements.name, quantizer, MX_BLOCK_SIZE, inputs.dim())
    return mx(inputs, elements)


def _static_nvfp4(
    values: Tensor,
    amax: Tensor,
    global_amax: Tensor | None = None,
    quantize_scales: bool = True,
    largest_scale: float = _E4M3_MAX,
    dtype: torch.dtype | None = None,
    _pass_through: bool = False,
) -> Tensor:
    from modelopt.torch.quantization.tensor_quant import scaled_e4m3_impl

    scale = _divided(amax.float(), _E2M1_MAX)
    if quantize_scales:
        whole = amax.float().amax() if global_amax is None else global_amax.float()
        scale = scaled_e4m3_impl(scale, _divided(whole * (_E4M3_MAX / largest_scale), _E2M1_MAX))
    scale = scale.reshape(-1, 1)
    blocks = values.detach().float().reshape(len(scale), -1)
    usable = torch.where((scale == 0) | ~scale.isfinite(), 1.0, scale)
    scratch = torch.empty_like(blocks)
    result = _round_to_e2m1_(blocks / usable, scratch) * usable
    return torch.where(scale == 0, 0.0, result).reshape(values.shape).to(dtype or values.dtype)


def _divided(values: Tensor, number: float) -> Tensor:
    """Divide by a number as torch does on CUDA, and on no CPU: by multiplying by the rounded reciprocal.

    ModelOpt leaves scales to that. One unit in the last place decides for blocks whose own scale then lies on a tie,
    and weights that were stored in bfloat16 have many of these.
    """
    return values * (torch.ones((), device=values.device) / number)


def _check_block_size(name: str, quantizer: Any, expected: int, dimensions: int) -> None:
    blocks = quantizer.block_sizes or {}
    size = blocks.get(-1) or blocks.get(dimensions - 1)
    if size != expected:
        raise CaseError(
            f"{name} means blocks of {expected} along the last dimension, but the quantizer has {size}; "
            f"set its block_sizes to {{-1: {expected}, ...}}"
        )


def _mx_(elements: MXFormat, blocks: Tensor, scratch: Tensor) -> None:
    # The kernel is compiled with --use_fast_math: subnormal inputs, ratios and scales are zero there, and so no result
    # is subnormal. That its division by the largest is then approximate is not modelled: it can matter only to a block
    # whose float32 maximum is one or two units in the last place from the largest times a power of two.
    _flush_subnormals_(blocks)
    block_amax = torch.abs(blocks, out=scratch).amax(dim=-1, keepdim=True)
    scale = _power_of_two_from_(_flush_subnormals_(block_amax.div_(elements.largest)))
    blocks.div_(scale.clamp(min=_FLOAT32.smallest_normal)).clamp_(-elements.largest, elements.largest)
    elements.round_(blocks, scratch).mul_(scale)


def _flush_subnormals_(values: Tensor) -> Tensor:
    return torch.hardshrink(values, _LARGEST_SUBNORMAL, out=values)


def _power_of_two_from_(values: Tensor) -> Tensor:
    """Round up in place to a power of two; zero stays zero."""
    values.view(torch.int32).add_(_MANTISSA_BITS).bitwise_and_(_EXPONENT_BITS)
    return values


def _round_to_e2m1_(scaled: Tensor, scratch: Tensor) -> Tensor:
    """Round in place to the nearest of 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives, ties to even."""
    return _round_to_float_(1, 1.0, scaled.clamp_(-_E2M1_MAX, _E2M1_MAX), scratch)


def _round_to_float_(mantissa_bits: int, smallest_normal: float, scaled: Tensor, scratch: Tensor) -> Tensor:
    """Round in place to the nearest number of so many bits, ties to even; below the smallest normal, steps are even."""
    torch.bitwise_and(scaled.view(torch.int32), _EXPONENT_BITS, out=scratch.view(torch.int32))
    step = scratch.clamp_(min=smallest_normal).mul_(0.5**mantissa_bits)
    return scaled.div_(step).round_().mul_(step)


def _round_to_whole_(scaled: Tensor, _scratch: Tensor) -> Tensor:
    return scaled.round_()


MX_FORMATS = {
    (2, 1): MXFormat("MXFP4", _E2M1_MAX, _round_to_e2m1_),
    (2, 3): MXFormat("MXFP6_E2M3", 7.5, functools.partial(_round_to_float_, 3, 1.0)),
    (3, 2): MXFormat("MXFP6_E3M2", 28.0, functools.partial(_round_to_float_, 2, 0.25)),
    (4, 3): MXFormat("MXFP8", _E4M3_MAX, functools.partial(_round_to_float_, 3, 2.0**-6)),
    8: MXFormat("MXINT8", 127.0, _round_to_whole_),
}
"""By ModelOpt's `num_bits`."""
MXFP4_BACKEND = MX_FORMATS[2, 1].backend


def _by_blocks(values: Tensor, size: int, quantize_: Callable[[Tensor, Tensor], None]) -> Tensor:
    """Apply a function to float32 copies of the blocks, in place and with a scratch buffer, a cacheful at a time."""
    width = values.shape[-1]
    padding = -width % size
    padded = functional.pad(values, (0, padding)) if padding else values
    blocks = padded.reshape(-1, size)
    result = torch.empty_like(blocks)
    step = CHUNK_PER_THREAD * torch.get_num_threads() // size
    buffers = torch.empty(2, min(step, len(blocks)), size, dtype=torch.float32, device=values.device)
    for source, target in zip(blocks.split(step), result.split(step), strict=True):
        work, scratch = buffers[:, : len(source)]
        quantize_(work.copy_(source), scratch)
        target.copy_(work)
    return result.reshape(padded.shape)[..., :width].contiguous()
