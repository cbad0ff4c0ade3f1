"""ModelOpt's own quantized modules, for what is no plain linear layer: experts, transposed layers, convolutions.

ModelOpt decides what it can quantize, and under which names, when it converts a module. So it is asked to convert: a
copy without weights to learn what there is, the model itself to run it. A converted module whose quantizers are
disabled computes what it did before.
"""

from __future__ import annotations

import copy
import dataclasses
from typing import TYPE_CHECKING, Any

import torch

from auto_quantize_model.precision.quiet import modelopt_quiet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from torch import Tensor, nn


_QUANTIZED = "Quant"
"""How ModelOpt begins the name of a type that it has converted."""
INPUT = "input_quantizer"


@dataclasses.dataclass(frozen=True, slots=True)
class Matrices:
    """A module that has weight matrices of its own."""

    name: str
    module: nn.Module

    @property
    def module_type(self) -> str:
        """Its type."""
        return type(self.module).__name__

    @property
    def quantized_type(self) -> str:
        """Its type once ModelOpt has converted it, as manifests name it."""
        return self.module_type if self.module_type.startswith(_QUANTIZED) else f"{_QUANTIZED}{self.module_type}"

    @property
    def is_linear(self) -> bool:
        """Whether it is one product of its inputs and its weights."""
        return isinstance(self.module, torch.nn.Linear)

    @property
    def weights(self) -> int:
        """How many weights its matrices have together."""
        return sum(parameter.numel() for parameter in _matrices(self.module))

    @property
    def quantizable(self) -> bool:
        """Whether ModelOpt's search quantizes it; a plain linear layer need not be converted for that."""
        from modelopt.torch.quantization.algorithms import AutoQuantizeGradientSearcher
        from modelopt.torch.quantization.nn import QuantModuleRegistry

        if isinstance(self.module, torch.nn.Linear) and type(self.module) in QuantModuleRegistry:
            return True
        return bool(AutoQuantizeGradientSearcher._is_auto_quantize_module(self.module))


def structure(model: Any, in_scope: Callable[[str], bool]) -> Iterator[Matrices]:
    """Every module in scope that has weight matrices, as ModelOpt sees it; embeddings are none."""
    with modelopt_quiet():
        names = _to_convert(model, in_scope)
        if names:
            model = _without_weights(model)
            convert(model, names)
    for name, module in model.named_modules():
        if in_scope(name) and not isinstance(module, torch.nn.Embedding) and _matrices(module):
            yield Matrices(name, module)


def convert_others(model: Any, in_scope: Callable[[str], bool]) -> None:
    """Convert what is no plain linear layer, in place, every quantizer disabled."""
    with modelopt_quiet():
        convert(model, _to_convert(model, in_scope))


def convert(model: Any, names: Iterable[str]) -> None:
    """Convert the named modules in place, every quantizer disabled."""
    for name in names:
        _convert(model, name)
        # What a module became may have linear layers of its own.
        converted = model.get_submodule(name)
        convert_linears(converted, [inner for inner, _ in converted.named_modules()])


def convert_linears(model: Any, names: Iterable[str]) -> None:
    """Convert those of the named modules that are linear layers as they were, in place, every quantizer disabled."""
    from modelopt.torch.quantization.nn import QuantModule

    for name in names:
        module = model.get_submodule(name)
        if isinstance(module, torch.nn.Linear) and not isinstance(module, QuantModule):
            _convert(model, name)


def _convert(model: Any, name: str) -> None:
    from modelopt.torch.quantization.nn import QuantModuleRegistry, TensorQuantizer

    parent, _, own = name.rpartition(".")
    converted = QuantModuleRegistry.convert(model.get_submodule(name))
    setattr(model.get_submodule(parent), own, converted)
    for module in converted.modules():
        if isinstance(module, TensorQuantizer):
            module.disable()


def input_name(layer: str) -> str:
    """The full name that ModelOpt gives the quantizer of a linear layer's input."""
    return f"{layer}.{INPUT}"


def input_quantizers(model: Any, members: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """The quantizers of the inputs of converted modules, by their full names."""
    from modelopt.torch.quantization.nn import TensorQuantizer

    for member in members:
        for name, module in model.get_submodule(member).named_children():
            if name.endswith(INPUT) and isinstance(module, TensorQuantizer):
                yield f"{member}.{name}", module


def quantized_inputs(model: Any, members: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """What is given the inputs that would be quantized: their quantizers, by full names, or a layer as it was."""
    for member in members:
        module = model.get_submodule(member)
        if isinstance(module, torch.nn.Linear) and not hasattr(module, INPUT):
            yield input_name(member), module
        else:
            yield from input_quantizers(model, [member])


def _to_convert(model: Any, in_scope: Callable[[str], bool]) -> list[str]:
    from modelopt.torch.quantization.nn import QuantModuleRegistry
    from modelopt.torch.quantization.plugins.custom import register_custom_model_plugins_on_the_fly

    others = [
        (name, module)
        for name, module in model.named_modules()
        if in_scope(name) and not isinstance(module, torch.nn.Linear | torch.nn.Embedding) and _matrices(module)
    ]
    if not others:
        return []
    # Experts join ModelOpt's registry only when it meets them in a model.
    register_custom_model_plugins_on_the_fly(model)
    return [name for name, module in others if type(module) in QuantModuleRegistry]


def _matrices(module: nn.Module) -> list[Tensor]:
    return [parameter for parameter in module.parameters(recurse=False) if parameter.dim() > 1]


def _without_weights(model: Any) -> Any:
    """A copy of a model that has shapes only."""
    shapes: dict[int, Any] = {
        id(parameter): torch.nn.Parameter(torch.empty_like(parameter, device="meta"), requires_grad=False)
        for parameter in model.parameters()
    }
    shapes |= {id(buffer): torch.empty_like(buffer, device="meta") for buffer in model.buffers()}
    return copy.deepcopy(model, shapes)
