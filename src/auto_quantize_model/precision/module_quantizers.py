"""A format's quantizers on converted modules: set up and calibrated by ModelOpt, as its search does it."""

from __future__ import annotations

import contextlib
import fnmatch
import re
from typing import TYPE_CHECKING, Any

import torch

from auto_quantize_model.precision.conversion import INPUT, convert_linears, input_quantizers
from auto_quantize_model.precision.fp4 import static_blocks_on_cpu
from auto_quantize_model.precision.quiet import modelopt_quiet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from torch import Tensor

    from auto_quantize_model.precision.quantizers import FormatQuantizers


_NO_OUTPUT = {"quantizer_name": "*output_quantizer", "enable": False}
"""ModelOpt's search quantizes no outputs."""
_NUMBER = re.compile(r"s?\.\d+$")
"""What ModelOpt takes off a quantizer's name where each expert has its own."""


def set_up(root: Any, members: Sequence[str], quantizers: FormatQuantizers) -> None:
    """Give converted modules fresh quantizers by a format's configuration, not calibrated yet."""
    from modelopt.torch.quantization.algorithms import _get_quantizer_attrs, _make_fresh_quantizer_for_attr
    from modelopt.torch.quantization.conversion import set_quantizer_by_cfg

    for member in members:
        module = root.get_submodule(member)
        for name in _get_quantizer_attrs(module):
            setattr(module, name, _make_fresh_quantizer_for_attr(module, name))
        set_quantizer_by_cfg(module, [*_fitting(module, quantizers.entries), _NO_OUTPUT])


def set_up_inputs(root: Any, members: Sequence[str], quantizers: FormatQuantizers) -> None:
    """The same for the inputs alone: with many experts, it is the quantizers of the weights that take the time."""
    from modelopt.torch.quantization.algorithms import _make_fresh_quantizer_for_attr
    from modelopt.torch.quantization.conversion import set_quantizer_by_cfg

    for member in members:
        module = root.get_submodule(member)
        names = [name for name, _ in _tensor_quantizers(module) if name.endswith(INPUT)]
        for name in names:
            setattr(module, name, _make_fresh_quantizer_for_attr(module, name))
        of_inputs = [
            {**entry, "quantizer_name": f"*{INPUT}"}
            for entry in _fitting(module, quantizers.entries)
            if any(fnmatch.fnmatch(name, entry["quantizer_name"]) for name in names)
        ]
        set_quantizer_by_cfg(module, of_inputs)


def _fitting(module: Any, entries: Sequence[Any]) -> list[Any]:
    """The entries that name a quantizer of a module: most of a preset is about other modules, and experts are many."""
    from modelopt.torch.quantization.nn import QuantModuleRegistry

    names = {name for name, _ in _tensor_quantizers(module)}
    names |= {_NUMBER.sub("", name) for name in names}
    # One expert stands for all.
    names = {name for name in names if not _NUMBER.search(name) or name.endswith(".0")}
    return [
        entry
        for entry in entries
        if (not entry.get("parent_class") or isinstance(module, QuantModuleRegistry[entry["parent_class"]]))
        and any(fnmatch.fnmatch(name, entry["quantizer_name"]) for name in names)
    ]


def calibrate_by_maxima(root: Any, members: Sequence[str], maxima: Mapping[str, float]) -> None:
    """Calibrate by the maximum: weights by their own, inputs by what their quantizers saw, named in full."""
    from modelopt.torch.quantization.model_calib import max_calibrate

    with modelopt_quiet():
        max_calibrate(root, None, distributed_sync=False)
    set_input_maxima(root, members, maxima)


def set_input_maxima(root: Any, members: Sequence[str], maxima: Mapping[str, float]) -> None:
    """Calibrate the inputs alone, where the weights are calibrated already."""
    for name, quantizer in input_quantizers(root, members):
        if not quantizer.is_enabled:
            continue
        # One that saw nothing in calibration has no maximum, in ModelOpt as well.
        quantizer.reset_amax()
        if name in maxima:
            quantizer.amax = torch.full((), maxima[name], device=device_of(root))


def calibrate_by_algorithm(root: Any, algorithm: Any, run: Callable[[Any], None]) -> None:
    """Calibrate by one of ModelOpt's algorithms, which runs the modules on their inputs as often as it likes."""
    from modelopt.torch.opt.conversion import ModeloptStateManager
    from modelopt.torch.quantization import model_calib
    from modelopt.torch.quantization.model_quant import calibrate

    # As in ModelOpt's search: a scale of the inputs stays beside the weights, which other formats use too.
    folding = model_calib._ENABLE_FOLDING_PQS_TO_WEIGHTS
    model_calib._ENABLE_FOLDING_PQS_TO_WEIGHTS = False
    try:
        with modelopt_quiet():
            calibrate(root, algorithm=algorithm, forward_loop=run)
            ModeloptStateManager(root).state_dict().pop()
    finally:
        model_calib._ENABLE_FOLDING_PQS_TO_WEIGHTS = folding


@torch.no_grad()
def quantized_sample(quantizers: FormatQuantizers, device: torch.device) -> Any:
    """A small layer that a format has quantized, calibrated and run; what fails for it fails for every layer."""
    root: Any = torch.nn.ModuleDict({"layer": torch.nn.Linear(256, 128, bias=False, device=device)})
    sample = torch.linspace(-3, 3, 512, device=device).reshape(2, 256)
    root["layer"].weight.copy_(torch.linspace(-1, 1, 128 * 256, device=device).reshape(128, 256))
    with modelopt_quiet():
        convert_linears(root, ["layer"])
    set_up(root, ["layer"], quantizers)
    with static_blocks_on_cpu(), modelopt_quiet():
        if quantizers.calibrated:
            calibrate_by_algorithm(root, quantizers.algorithm, lambda _: root["layer"](sample))
        root["layer"](sample)
    return root["layer"]


def runs_by_row(module: Any) -> bool:
    """Whether a converted module treats every row of its tensors by itself: experts do, whatever routes to them."""
    from modelopt.torch.quantization.algorithms import _is_hf_quant_fused_experts_module

    return bool(_is_hf_quant_fused_experts_module(module))


@contextlib.contextmanager
def unquantized(root: Any) -> Iterator[None]:
    """Quantize nothing for the duration of a `with` block."""
    with _disabled([module for _, module in _tensor_quantizers(root)]):
        yield


@contextlib.contextmanager
def _disabled(quantizers: Iterable[Any]) -> Iterator[None]:
    enabled = [each for each in quantizers if each.is_enabled]
    for each in enabled:
        each.disable()
    try:
        yield
    finally:
        for each in enabled:
            each.enable()


@contextlib.contextmanager
def only(root: Any, side: str) -> Iterator[None]:
    """Quantize `weights` or `activations` alone, or `both`, for the duration of a `with` block."""
    off = {"weights": "input_quantizer", "activations": "weight_quantizer"}.get(side)
    with _disabled([module for name, module in _tensor_quantizers(root) if off is not None and off in name]):
        yield


@contextlib.contextmanager
def weights_quantized(
    root: Any, members: Sequence[str], kept: dict[tuple[str, int], Tensor] | None = None, key: str = ""
) -> Iterator[None]:
    """Quantize the weights once, and not in every call, for the duration of a `with` block.

    With `kept`, a weight that was quantized under the same key before is not quantized again.
    """
    weights = [(weight, parts) for member in members for weight, parts in _weights(root.get_submodule(member))]
    before = [weight.data for weight, _ in weights]
    quantizers = [each for _, parts in weights for _, quantizer in parts for each in _leaves(quantizer)]
    kept = {} if kept is None else kept
    try:
        # With every quantizer off, the weights are what they were.
        for number, (weight, parts) in enumerate(weights) if any(each.is_enabled for each in quantizers) else ():
            if (key, number) not in kept:
                kept[key, number] = _quantized(weight.data, parts)
            weight.data = kept[key, number]
        with _disabled(quantizers):
            yield
    finally:
        for (weight, _), data in zip(weights, before, strict=True):
            weight.data = data


@contextlib.contextmanager
def quantized_inside(
    model: Any, members: Sequence[str], quantizers: FormatQuantizers, maxima: Mapping[str, float]
) -> Iterator[None]:
    """Quantize converted modules of a model, calibrated by the maximum, for the duration of a `with` block."""
    set_up(model, members, quantizers)
    try:
        for member in members if quantizers.calibrated else ():
            within = {name.removeprefix(f"{member}."): each for name, each in maxima.items()}
            root = torch.nn.ModuleDict({"module": model.get_submodule(member)})
            calibrate_by_maxima(root, ["module"], {f"module.{name}": each for name, each in within.items()})
        with weights_quantized(model, members):
            yield
    finally:
        for member in members:
            for _, quantizer in _tensor_quantizers(model.get_submodule(member)):
                quantizer.disable()


def device_of(root: Any) -> torch.device:
    """Where a module's weights are."""
    parameter: Tensor = next(root.parameters())
    return parameter.device


def _weights(module: Any) -> Iterator[tuple[Any, list[tuple[int | None, Any]]]]:
    """The weights of a converted module, each with the quantizers of its parts: by expert, or of all of it."""
    weight = getattr(module, "weight_quantizer", None)
    if weight is not None:
        yield module._parameters["weight"], [(None, weight)]
        return
    for name, quantizers in module.named_children():
        if name.endswith("_weight_quantizers"):
            yield module._parameters[name.removesuffix("_weight_quantizers")], list(enumerate(quantizers))


def _quantized(values: Tensor, parts: Sequence[tuple[int | None, Any]]) -> Tensor:
    if parts[0][0] is None:
        return parts[0][1](values)  # type: ignore[no-any-return]  # it is a tensor that it returns
    return torch.stack([quantizer(values[index]) for index, quantizer in parts])


def _tensor_quantizers(root: Any) -> Iterator[tuple[str, Any]]:
    from modelopt.torch.quantization.nn import TensorQuantizer

    return ((name, module) for name, module in root.named_modules() if isinstance(module, TensorQuantizer))


def first_quantizer(quantizer: Any) -> Any:
    """The quantizer itself, or the first of several steps."""
    return _leaves(quantizer)[0]


def _leaves(quantizer: Any) -> list[Any]:
    """The quantizers of a tensor that is quantized in several steps, or the one."""
    return [each for _, each in _tensor_quantizers(quantizer)]
