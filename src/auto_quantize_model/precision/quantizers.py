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
    from collections.abc import Sequence

    from torch import Tensor

    from auto_quantize_model.precision.formats import ResolvedFormat


_WHOLE_MODEL = {
    "gptq": "needs the model's layers in sequence, each on what the quantized ones before it give",
    "lsq": "trains scales through the whole model",
    "dual_lsq": "trains scales through the whole model",
}
"""The calibration algorithms that need more than one layer's inputs, and why."""


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
    entries: Sequence[Any] = ()
    """ModelOpt's own list of which quantizer is configured how, for modules that are more than a product."""
    algorithm: Any = None
    """Where a product will not do, ModelOpt's calibration algorithm: it runs on what each module was called with."""
    by_module: bool = False
    """Whether a format needs ModelOpt's own quantized layers, run again on their inputs; it has no `weight` then."""

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
    mx = {bits: each.backend for bits, each in fp4.MX_FORMATS.items()}
    return with_backends(resolved.config, nvfp4=fp4.NVFP4_BACKEND, mx=mx)


def build_quantizers(resolved: ResolvedFormat, device: torch.device) -> FormatQuantizers:
    """Let ModelOpt build a format's quantizers; what replay cannot compute is one clear error."""
    from modelopt.torch.quantization.config import QuantizeConfig
    from modelopt.torch.quantization.conversion import set_quantizer_by_cfg
    from modelopt.torch.quantization.nn import QuantModuleRegistry

    linear = QuantModuleRegistry.convert(torch.nn.Linear(1, 1, bias=False, device=device))
    config = QuantizeConfig(**modelopt_config(resolved, device))
    set_quantizer_by_cfg(linear, config.quant_cfg)
    weight, inputs = linear.weight_quantizer, linear.input_quantizer
    if not _is_product(resolved, weight, inputs):
        return _by_module(resolved, config, inputs)
    calibrated = resolved.algorithm is not None
    if calibrated:
        weight._calibrator = calibrator_without_assertions(weight._calibrator)
    return FormatQuantizers(
        weight=weight,
        input=inputs if inputs.is_enabled else None,
        weight_key=f"{_format_key(weight)} calibrated={calibrated}",
        input_key=f"{_format_key(inputs)} calibrated={calibrated}" if inputs.is_enabled else None,
        calibrated=calibrated,
        entries=config.quant_cfg,
    )


def _by_module(resolved: ResolvedFormat, config: Any, inputs: Any) -> FormatQuantizers:
    method = resolved.algorithm.get("method") if isinstance(resolved.algorithm, dict) else resolved.algorithm
    if method in _WHOLE_MODEL:
        raise NotCoveredError(f"format '{resolved.name}' is calibrated by '{method}', which {_WHOLE_MODEL[method]}")
    quantizes_inputs = any(each.is_enabled for each in inputs.modules() if hasattr(each, "is_enabled"))
    if method == "local_hessian" and quantizes_inputs:
        raise NotCoveredError(
            f"format '{resolved.name}' is calibrated by '{method}', which ModelOpt runs on what earlier layers give "
            "with their inputs quantized"
        )
    return FormatQuantizers(
        weight=None,
        input=None,
        weight_key=resolved.sha256,
        input_key=resolved.sha256 if quantizes_inputs else None,
        calibrated=resolved.algorithm is not None,
        entries=config.quant_cfg,
        algorithm=resolved.algorithm,
        by_module=True,
    )


def _is_product(resolved: ResolvedFormat, weight: Any, inputs: Any) -> bool:
    """Whether a layer's quantized output is the product of its quantized weight and its quantized input."""
    if resolved.algorithm not in (None, "max", {"method": "max"}):
        return False
    return _is_simple(weight, is_input=False) and _is_simple(inputs, is_input=True)


def _is_simple(quantizer: Any, *, is_input: bool) -> bool:
    """Whether a maximum, or that of each block, is all that a quantizer needs to know of its tensor."""
    from modelopt.torch.quantization.calib import MaxCalibrator
    from modelopt.torch.quantization.nn import TensorQuantizer

    if not isinstance(quantizer, TensorQuantizer):
        return False
    if not quantizer.is_enabled:
        return True
    blocks = quantizer.block_sizes
    static_blocks = blocks is not None and blocks.get("type") != "dynamic"
    if quantizer._use_constant_amax or quantizer._constant_amax is not None or quantizer._dynamic:
        return False
    if type(quantizer._calibrator) is not MaxCalibrator or (static_blocks and blocks.get("scale_bits")):
        return False
    # Rows of all batches are quantized together, so an input has one maximum, or blocks that go by their own.
    return not is_input or (quantizer.axis is None and not static_blocks)


def _format_key(quantizer: Any) -> str:
    blocks = quantizer.block_sizes
    return (
        f"bits={quantizer.num_bits} axis={quantizer.axis} blocks={sorted(blocks.items(), key=str) if blocks else None} "
        f"unsigned={quantizer.unsigned} narrow={quantizer.narrow_range} backend={quantizer.backend}"
    )


def calibrator_without_assertions(calibrator: Any) -> Any:
    """ModelOpt's calibrator without its assertions: each makes the host wait for a GPU, and weights are checked."""
    from modelopt.torch.quantization.calib import MaxCalibrator
    from modelopt.torch.quantization.utils import convert_quantization_axis_to_reduce_axis, reduce_amax

    class Calibrator(MaxCalibrator):  # type: ignore[misc]  # of which nothing is known
        _calib_amax: Tensor | None

        @torch.no_grad()
        def collect(self, x: Tensor) -> None:
            axis = convert_quantization_axis_to_reduce_axis(x, self._axis)
            amax = reduce_amax(x, axis=axis).detach()
            self._calib_amax = amax if self._calib_amax is None else torch.max(self._calib_amax, amax)

    return Calibrator(calibrator._num_bits, calibrator._axis, calibrator._unsigned)


def _calibrate_max(quantizer: Any, weight: Tensor) -> None:
    from modelopt.torch.quantization.model_calib import enable_stats_collection, finish_stats_collection

    enable_stats_collection(quantizer)
    quantizer(weight)
    finish_stats_collection(quantizer)


def _quantize(quantizer: Any, values: Tensor) -> Tensor:
    result: Tensor = quantizer(values)
    return result
