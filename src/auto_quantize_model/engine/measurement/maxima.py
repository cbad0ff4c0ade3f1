"""What a capture's maxima say of how a group is quantized."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from auto_quantize_model.engine.measurement.quantizing import Quantized
from auto_quantize_model.engine.replay.module_work import inner_of, largest
from auto_quantize_model.engine.replay.variants import input_maximum
from auto_quantize_model.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from auto_quantize_model.engine.capture.captured import Captured
    from auto_quantize_model.plan import SizePlan
    from auto_quantize_model.precision.quantizers import FormatQuantizers
    from auto_quantize_model.scores import Group


@dataclasses.dataclass(frozen=True, slots=True)
class Maxima:
    """The absolute maxima that a capture saw, in every batch."""

    inputs: Mapping[str, NDArray[np.float32]]
    """By group."""
    inner: Mapping[str, NDArray[np.float32]]
    """By input quantizer inside of a module that is more than a product."""

    @classmethod
    def of(cls, captured: Captured) -> Maxima:
        """Take them over from a finished capture."""
        names = (group.name for group in captured.layout.groups)
        return cls(dict(zip(names, captured.maxima(), strict=True)), captured.inner_maxima())

    @classmethod
    def from_json(cls, document: Mapping[str, Mapping[str, list[float]]]) -> Maxima:
        """What `to_json` made a document of."""
        inputs, inner = (
            {name: np.array(values, dtype=np.float32) for name, values in document[part].items()}
            for part in ("inputs", "inner")
        )
        return cls(inputs, inner)

    def to_json(self) -> dict[str, dict[str, list[float]]]:
        """As a document that keeps every bit."""
        return {
            part: {name: values.tolist() for name, values in arrays.items()}
            for part, arrays in (("inputs", self.inputs), ("inner", self.inner))
        }

    def quantized(self, group: Group, quantizers: FormatQuantizers, size: SizePlan) -> Quantized:
        """How a format quantizes a group when it is calibrated on a size's captions."""
        if group.scored_at:
            return Quantized(quantizers, None, largest(quantizers, inner_of(group, self.inner), size))
        return Quantized(quantizers, input_maximum(quantizers, self.inputs[group.name], size))


def not_measurable(quantizers: FormatQuantizers, groups: Sequence[Group]) -> str | None:
    """Why a format cannot be measured; None where it can."""
    if quantizers.by_module:
        return "measuring knows calibration by the maximum alone"
    if quantizers.input_key is not None and not quantizers.calibrated and any(group.scored_at for group in groups):
        return "the scale of its inputs would depend on which captions experts see together"
    return None


def check_measurable(name: str, quantizers: FormatQuantizers, groups: Sequence[Group]) -> None:
    """Refuse to measure what would be measured wrong."""
    reason = not_measurable(quantizers, groups)
    if reason is not None:
        raise CaseError(f"format '{name}' cannot be measured: {reason}")
