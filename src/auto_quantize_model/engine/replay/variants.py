"""Which products a group's scores are made of: what is quantized the same way is worked out once."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

from auto_quantize_model.statistics.calibration import other_maximum

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from auto_quantize_model.plan import FormatSize, PassPlan, SizePlan
    from auto_quantize_model.precision.quantizers import FormatQuantizers

Side = Literal["both", "weights", "activations", "other maximum"]
"""What is quantized: a format scores with both sides, and its split tells what each would score alone. The last is
activations alone by a maximum that other captions may have."""

_RECALIBRATED_SHARE = 4
"""By the other maximum one batch of so many is scored: what it changes is much the same in all."""


@dataclasses.dataclass(frozen=True, slots=True)
class Product:
    """One product of a group's inputs and weights, and the cases that it serves."""

    weight: FormatQuantizers | None
    """How the weights are quantized; None: not at all."""
    serves: tuple[tuple[FormatSize, Side], ...]

    @property
    def whole(self) -> bool:
        """Whether it is what a format does, and not a side of that alone."""
        return any(side == "both" for _, side in self.serves)


@dataclasses.dataclass(frozen=True, slots=True)
class InputVariant:
    """One way in which a group's input is quantized, and the products that it enters."""

    batches: tuple[int, ...]
    """The scored batches that any of its cases needs."""
    maxima: tuple[tuple[tuple[int, ...], float], ...]
    """Batches that are quantized together, with their absolute maximum; empty: not quantized at all."""
    quantizers: FormatQuantizers | None
    """A format that quantizes inputs this way; None: not quantized at all."""
    products: tuple[Product, ...]


def input_variants(
    plan: PassPlan,
    formats: Mapping[str, FormatQuantizers],
    wanted: Iterable[FormatSize],
    maxima: NDArray[np.float32],
) -> list[InputVariant]:
    """Formats and sizes that see the same quantized input share it: the same format, the same maximum."""
    sharing: dict[tuple[str | None, float | None], list[tuple[FormatSize, Side]]] = {}
    for each in wanted:
        quantizers, size = formats[each[0]], plan.sizes[each[1]]
        if quantizers.input_key is None:
            sharing.setdefault((None, None), []).append((each, "both"))
            continue
        maximum = input_maximum(quantizers, maxima, size)
        sharing.setdefault((quantizers.input_key, maximum), []).extend([(each, "both"), (each, "activations")])
        sharing.setdefault((None, None), []).append((each, "weights"))
        other = other_input_maximum(quantizers, maxima, size)
        if other is not None and other != maximum:
            sharing.setdefault((quantizers.input_key, other), []).append((each, "other maximum"))
    return [_variant(key, members, plan, formats, maxima) for key, members in sharing.items()]


def input_maximum(quantizers: FormatQuantizers, maxima: NDArray[np.float32], size: SizePlan) -> float | None:
    """The maximum that calibration gives a group's input; None where a format's inputs are not calibrated."""
    if quantizers.input_key is None or not quantizers.calibrated:
        return None
    return float(maxima[list(size.calibrated)].max())


def other_input_maximum(quantizers: FormatQuantizers, maxima: NDArray[np.float32], size: SizePlan) -> float | None:
    """The maximum that other captions may give a group's input; None where that is not known, or does not matter."""
    if quantizers.input_key is None or not quantizers.calibrated:
        return None
    return other_maximum(maxima[list(size.calibrated)])


def recalibrated(size: SizePlan) -> tuple[int, ...]:
    """The scored batches that are scored by the other maximum too."""
    return size.scored[: -(-len(size.scored) // _RECALIBRATED_SHARE)]


def _variant(
    key: tuple[str | None, float | None],
    members: Sequence[tuple[FormatSize, Side]],
    plan: PassPlan,
    formats: Mapping[str, FormatQuantizers],
    maxima: NDArray[np.float32],
) -> InputVariant:
    input_key, maximum = key
    batches = tuple(sorted({index for (_, size), side in members for index in _scored(plan.sizes[size], side)}))
    if input_key is None:
        together: tuple[tuple[tuple[int, ...], float], ...] = ()
    elif maximum is not None:
        together = ((batches, maximum),)
    else:
        together = tuple(((index,), float(maxima[index])) for index in batches)
    by_weight: dict[str | None, list[tuple[FormatSize, Side]]] = {}
    for each, side in members:
        weight_key = formats[each[0]].weight_key if side in ("both", "weights") else None
        by_weight.setdefault(weight_key, []).append((each, side))
    products = tuple(
        Product(None if weight_key is None else formats[served[0][0][0]], tuple(served))
        for weight_key, served in by_weight.items()
    )
    quantizers = None if input_key is None else formats[members[0][0][0]]
    return InputVariant(batches, together, quantizers, products)


def _scored(size: SizePlan, side: Side) -> tuple[int, ...]:
    return recalibrated(size) if side == "other maximum" else size.scored
