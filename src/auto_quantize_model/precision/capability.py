"""What can run here, per pair and device, checked before anything is loaded; and which kernel will run."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import torch

from auto_quantize_model.device_names import parse_device
from auto_quantize_model.errors import CaseError, InputError, UnavailableError, one_line
from auto_quantize_model.precision.formats import NVFP4_SCALE_BITS
from auto_quantize_model.precision.module_quantizers import first_quantizer, quantized_sample
from auto_quantize_model.precision.quantizers import build_quantizers

if TYPE_CHECKING:
    from typing import Any

    from auto_quantize_model.precision.formats import ResolvedFormat
    from auto_quantize_model.precision.quantizers import FormatQuantizers


@dataclasses.dataclass(frozen=True, slots=True)
class Kernels:
    """Which implementation quantizes the two sides of a format on a device."""

    weight: str
    input: str


def find_device(name: str, allowed: tuple[str, ...] = ("cpu", "cuda")) -> torch.device:
    """Resolve `auto`, `cpu`, `cuda` or `cuda:N` to a device that exists here and that the model allows."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        name = "cuda" if count and "cuda" in allowed else "cpu"
        if name not in allowed:
            raise UnavailableError("needs a CUDA GPU, and there is none here")
    kind, index = parse_device(name)
    if kind not in allowed:
        raise UnavailableError(f"device '{name}': the model's `devices` allow {', '.join(allowed)} only")
    if kind == "cuda" and (index or 0) >= count:
        there = f"this machine has {count} CUDA device{'s' * (count != 1)}" if count else "there is no CUDA device here"
        raise InputError(f"device '{name}' does not exist: {there}; choose cpu")
    return torch.device(kind) if index is None else torch.device(kind, index)


def check_format(resolved: ResolvedFormat, device: torch.device) -> tuple[FormatQuantizers, Kernels]:
    """Quantize a small tensor both ways; a format that cannot run here is one clear error."""
    quantizers = build_quantizers(resolved, device)
    return quantizers, probe(resolved, quantizers, device)


@torch.inference_mode()
def probe(resolved: ResolvedFormat, quantizers: FormatQuantizers, device: torch.device) -> Kernels:
    """Run a format's quantizers once and say which kernels ran."""
    try:
        weight, inputs = _run_once(quantizers, device)
    except CaseError:
        raise
    except Exception as error:
        raise CaseError(f"format '{resolved.name}' cannot run on {device}: {one_line(error)}") from error
    return Kernels(_kernel(weight, device), _kernel(inputs, device))


def _run_once(quantizers: FormatQuantizers, device: torch.device) -> tuple[Any, Any]:
    """The quantizers of the weight and of the input, after both have run."""
    if quantizers.by_module:
        layer = quantized_sample(quantizers, device)
        return first_quantizer(layer.weight_quantizer), first_quantizer(layer.input_quantizer)
    sample = torch.linspace(-3, 3, 128, device=device).reshape(2, 64)
    quantizers.quantize_weight(sample)
    if quantizers.input is not None:
        quantizers.quantize_input(sample, sample.abs().amax())
    return quantizers.weight, quantizers.input


def _kernel(quantizer: Any, device: torch.device) -> str:
    if quantizer is None or not quantizer.is_enabled:
        return "none"
    if quantizer.backend is not None:
        return str(quantizer.backend)
    if device.type == "cpu":
        return "modelopt eager"
    return _cuda_kernel(quantizer)


def _cuda_kernel(quantizer: Any) -> str:
    """The kernel by ModelOpt's own conditions: it does not tell which one ran."""
    from modelopt.torch.kernels.quantization import gemm
    from modelopt.torch.quantization import extensions, tensor_quant

    if quantizer.block_sizes is not None:
        nvfp4 = tuple(quantizer.block_sizes.get("scale_bits") or ()) == NVFP4_SCALE_BITS
        triton = gemm.IS_AVAILABLE and hasattr(gemm, "fp4_fake_quant_block") and not tensor_quant.DISABLE_TRITON_KERNEL
        return "modelopt triton" if nvfp4 and triton else "modelopt cuda_ext_mx"
    extension = extensions.get_cuda_ext_fp8() if isinstance(quantizer.num_bits, tuple) else extensions.get_cuda_ext()
    if extension is None:
        return "modelopt eager"
    return "modelopt cuda_ext_fp8" if isinstance(quantizer.num_bits, tuple) else "modelopt cuda_ext"
