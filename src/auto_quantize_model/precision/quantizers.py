"""ModelOpt's own quantizer objects, built by ModelOpt from its own configuration, one set a format."""

from __future__ import annotations

import copy
import dataclasses
from typing import TYPE_CHECKING, Any

import torch

from auto_quantize_model.errors import NotCoveredError
from auto_quantize_model.precision import fp4
from auto_quantize_model.precision.formats import with_backends

if TYPE_CHECKING:
    from torch import Tensor

    from auto_quantize_model.precision.formats import ResolvedFormat


@dataclasses.dataclass(frozen=True, slots=True)
class FormatQuantizers:
    """What replay needs of a format: how a weight becomes quantized, and how an input does."""

    weight: Any
    input: Any
    """None where the format leaves inputs alone."""
    weight_key: str
    """Equal for formats that quantize weights alike, so that they share one quantized weight."""
    input_key: str | None
    """Equal for formats that quantize inputs alike; None where inputs stay as they are."""
    calibrated: bool
    """Whether the input's maximum comes from calibration, or from each batch by itself."""

    def quantize_weight(self, weight: Tensor) -> Tensor:
        """Quantize a weight the way ModelOpt calibrates and quantizes it in a model."""
        quantizer = copy.deepcopy(self.weight).to(weight.device)
        if self.calibrated:
            _calibrate_max(quantizer, weight)
        return _quantize(quantizer, weight)

    def quantize_input(self, values: Tensor, maximum: Tensor) -> Tensor:
        """Quantize inputs, given the absolute maximum that calibration (or the batch) saw."""
        # A model may be spread over devices, and the maximum stays where it was first set.
        self.input.to(values.device).amax = maximum
        return _quantize(self.input, values)


def modelopt_config(resolved: ResolvedFormat, device: torch.device) -> dict[str, Any]:
    """The configuration to hand to ModelOpt on a device: on CPU with the project's FP4 backends."""
    if device.type != "cpu":
        return copy.deepcopy(resolved.config)
    fp4.register_cpu_backends()
    return with_backends(resolved.config, nvfp4=fp4.NVFP4_BACKEND, mxfp4=fp4.MXFP4_BACKEND)


def build_quantizers(resolved: ResolvedFormat, device: torch.device) -> FormatQuantizers:
    """Let ModelOpt build a format's quantizers; what replay cannot compute is one clear error."""
    from modelopt.torch.quantization.config import QuantizeConfig
    from modelopt.torch.quantization.conversion import set_quantizer_by_cfg
    from modelopt.torch.quantization.nn import QuantModuleRegistry

    if resolved.algorithm not in (None, "max", {"method": "max"}):
        raise NotCoveredError(f"format '{resolved.name}' is calibrated by {resolved.algorithm!r}")
    linear = QuantModuleRegistry.convert(torch.nn.Linear(1, 1, bias=False, device=device))
    set_quantizer_by_cfg(linear, QuantizeConfig(**modelopt_config(resolved, device)).quant_cfg)
    calibrated = resolved.algorithm is not None
    weight, inputs = linear.weight_quantizer, linear.input_quantizer
    for role, quantizer in (("weight", weight), ("input", inputs)):
        _check_covered(resolved.name, role, quantizer)
    if calibrated:
        weight._calibrator = calibrator_without_assertions(weight._calibrator)
    return FormatQuantizers(
        weight=weight,
        input=inputs if inputs.is_enabled else None,
        weight_key=f"{_format_key(weight)} calibrated={calibrated}",
        input_key=f"{_format_key(inputs)} calibrated={calibrated}" if inputs.is_enabled else None,
        calibrated=calibrated,
    )


def _check_covered(name: str, role: str, quantizer: Any) -> None:
    from modelopt.torch.quantization.calib import MaxCalibrator
    from modelopt.torch.quantization.nn import TensorQuantizer

    if not isinstance(quantizer, TensorQuantizer):
        raise NotCoveredError(f"format '{name}' quantizes a tensor in several steps")
    if not quantizer.is_enabled:
        return
    blocks = quantizer.block_sizes
    if quantizer._use_constant_amax or quantizer._constant_amax is not None or quantizer._dynamic:
        raise NotCoveredError(f"format '{name}' takes its {role} maximum from elsewhere than calibration")
    if type(quantizer._calibrator) is not MaxCalibrator:
        raise NotCoveredError(f"format '{name}' calibrates its {role} by other than the maximum")
    if blocks is not None and blocks.get("type") != "dynamic" and blocks.get("scale_bits"):
        raise NotCoveredError(f"format '{name}' scales its {role} blocks in two static levels")
    if role == "weight":
        return
    if quantizer.axis is not None or (blocks is not None and blocks.get("type") != "dynamic"):
        raise NotCoveredError(f"format '{name}' quantizes inputs neither per tensor nor per dynamic block")


def _format_key(quantizer: Any) -> str:
    blocks = quantizer.block_sizes
    return (
        f"bits={quantizer.num_bits} axis={quantizer.axis} blocks={sorted(blocks.items(), key=str) if blocks else None} "
        f"unsigned={quantizer.unsigned} narrow={quantizer.narrow_range} backend={quantizer.backend}"
    )


def calibrator_without_assertions(calibrator: Any) -> Any:
    """ModelOpt's calibrator, but for its assertions: each makes the host wait for a GPU, and a load checks weights."""
    from modelopt.torch.quantization.calib import MaxCalibrator
    from modelopt.torch.quantization.utils import convert_quantization_axis_to_reduce_axis, reduce_amax

    class Calibrator(MaxCalibrator):  # type: ignore[misc]  # of which nothing is known
        _calib_amax: Tensor | None

        @torch.no_grad()
        def collect(self, x: Tensor) -> None:
            axis = convert_quantization_axis_to_reduce_axis(x, self._axis)
            found = reduce_amax(x, axis=axis).detach()
            self._calib_amax = found if self._calib_amax is None else torch.max(self._calib_amax, found)

    return Calibrator(calibrator._num_bits, calibrator._axis, calibrator._unsigned)


def _calibrate_max(quantizer: Any, weight: Tensor) -> None:
    from modelopt.torch.quantization.model_calib import enable_stats_collection, finish_stats_collection

    enable_stats_collection(quantizer)
    quantizer(weight)
    finish_stats_collection(quantizer)


def _quantize(quantizer: Any, values: Tensor) -> Tensor:
    result: Tensor = quantizer(values)
    return result
