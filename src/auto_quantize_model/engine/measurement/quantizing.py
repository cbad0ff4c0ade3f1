"""Really quantizing groups of a loaded model, and undoing it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from auto_quantize_model.precision.conversion import input_name, input_quantizers
from auto_quantize_model.precision.module_quantizers import quantized_inside

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

    from torch import Tensor, nn

    from auto_quantize_model.families.loaded import LoadedModel
    from auto_quantize_model.precision.quantizers import FormatQuantizers
    from auto_quantize_model.scores import Group


@dataclasses.dataclass(frozen=True, slots=True)
class Quantized:
    """How one group is quantized."""

    quantizers: FormatQuantizers
    maximum: float | None
    """The absolute maximum of the group's input in calibration; None where that has no say."""
    inner: tuple[tuple[str, float], ...] = ()
    """Of a group that is more than a product, the maxima by input quantizer."""

    @property
    def key(self) -> Hashable:
        """Equal for what quantizes a group in the same way."""
        return self.quantizers.weight_key, self.quantizers.input_key, self.maximum, self.inner


Assignment = Mapping[str, Quantized]
"""By the groups' names; a group that is not in it stays as it is."""


class GroupQuantizer:
    """Quantizes groups of a model; a weight is quantized once for as long as its block is worked on."""

    def __init__(self, loaded: LoadedModel, groups: Iterable[Group]) -> None:
        self._model = loaded.model
        self._groups = {group.name: group for group in groups}
        self._weights: dict[tuple[str, str], Tensor] = {}

    def forget(self) -> None:
        """Free the quantized weights."""
        self._weights.clear()

    @contextlib.contextmanager
    def quantized(self, assignment: Assignment) -> Iterator[None]:
        """Quantize groups for the duration of a `with` block."""
        with contextlib.ExitStack() as undo:
            for name, how in assignment.items():
                group = self._groups[name]
                if any(map(self._is_converted, group.members)):
                    undo.enter_context(quantized_inside(self._model, group.members, how.quantizers, dict(how.inner)))
                else:
                    self._quantize_layers(group, how, undo)
            yield

    def _quantize_layers(self, group: Group, how: Quantized, undo: contextlib.ExitStack) -> None:
        for name in group.members:
            layer = self._model.get_submodule(name)
            undo.callback(setattr, layer.weight, "data", layer.weight.data)
            layer.weight.data = self._weight(name, layer, how.quantizers)
            if how.quantizers.input_key is not None:
                # Where a group is scored at another module's output, each of its layers has a maximum of its own.
                its = dataclasses.replace(how, maximum=dict(how.inner).get(input_name(name), how.maximum))
                undo.callback(layer.register_forward_pre_hook(_on_input(its)).remove)

    def _is_converted(self, name: str) -> bool:
        """Whether ModelOpt's own module quantizes it, and not a plain linear layer's weight and input."""
        layer = self._model.get_submodule(name)
        return not isinstance(layer, torch.nn.Linear) or next(input_quantizers(self._model, [name]), None) is not None

    def _weight(self, name: str, layer: nn.Module, quantizers: FormatQuantizers) -> Tensor:
        key = name, quantizers.weight_key
        if key not in self._weights:
            weight: Any = layer.weight
            self._weights[key] = quantizers.quantize_weight(weight.detach().float()).to(weight.dtype)
        return self._weights[key]


def _on_input(how: Quantized) -> Any:
    def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        values, *others = inputs
        return (_quantize_input(values, how), *others)

    return hook


def _quantize_input(values: Tensor, how: Quantized) -> Tensor:
    if how.quantizers.calibrated:
        assert how.maximum is not None  # noqa: S101  calibration gave one
        amax = torch.full((), how.maximum, device=values.device)
        rows = how.quantizers.quantize_input(values.flatten(0, -2).float(), amax)
        return rows.view_as(values).to(values.dtype)
    # A maximum that is not calibrated is each caption's own, so that it does not depend on what runs beside it.
    captions = [how.quantizers.quantize_input(each.float(), each.abs().amax().float()) for each in values]
    return torch.stack(captions).to(values.dtype)
