"""The arithmetic on one group: its captured rows in float32, and the products that its scores are made of."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from auto_quantize_model.engine.capture.named import to_host
from auto_quantize_model.engine.machine.devices import current
from auto_quantize_model.engine.machine.products import product

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from auto_quantize_model.engine.capture.captured import GroupRows
    from auto_quantize_model.engine.replay.rows import Rows
    from auto_quantize_model.engine.replay.variants import InputVariant, Product, Side
    from auto_quantize_model.plan import FormatSize
    from auto_quantize_model.precision.quantizers import FormatQuantizers

    Reduce = Callable[[Tensor, Sequence[Tensor]], Tensor]
    """Makes numbers of each row of a difference, which it may overwrite, and the gradients there."""

SATURATION = 1e10
"""ModelOpt clamps every product of a gradient and a difference to this."""

CHUNK_ELEMENTS = {"cpu": 1 << 20, "cuda": 1 << 27}
"""How many elements of a product are in flight: on CPU few enough to stay in cache."""


@dataclasses.dataclass(frozen=True, slots=True)
class RowSums:
    """Per row of a capture: the root of its sum of squared products, and what became of single products."""

    norms: NDArray[np.float64]
    saturated: NDArray[np.bool_]
    """Whether one was clamped."""
    underflowed: NDArray[np.bool_]
    """Whether one is zero in float32 alone; looked at only where every sum is zero."""
    signed: NDArray[np.float64]
    """Per probe and row: the sum of its products."""

    @classmethod
    def zeros(cls, rows: int, probes: int) -> RowSums:
        return cls(np.zeros(rows), np.zeros(rows, dtype=bool), np.zeros(rows, dtype=bool), np.zeros((probes, rows)))


class GroupWork:
    """One group's captured rows in float32, and the products that its scores are made of."""

    _computable: ClassVar = ("_weights", "_weight", "_unquantized")
    """What is kept while it is of use."""

    def __init__(
        self,
        seen: GroupRows,
        modules: Sequence[Any],
        rows: Rows,
        variants: Sequence[InputVariant],
        chunk_elements: int | None,
    ) -> None:
        self._rows = rows
        self._variants = variants
        # In float32 even where the model is not: rounding a difference to bfloat16 inflates scores.
        self._own_weights = [module.weight.detach() for module in modules]
        self._device = self._own_weights[0].device
        self._chunk_elements = chunk_elements or CHUNK_ELEMENTS[self._device.type]
        self._inputs = self._float(seen.inputs)
        self._gradients = [
            _joined([self._float(parts) for parts in of_members], dim=1) for of_members in _by_kind(seen)
        ]
        self._quantized: dict[str, Tensor] = {}
        self._sums_on_host, self._arrived = under_way(self._stacked(_norm_and_dots, len(self._gradients)))
        self._forget()

    @property
    def serves(self) -> list[tuple[tuple[FormatSize, Side], ...]]:
        """Whom each of the row sums is for."""
        return [each.serves for variant in self._variants for each in variant.products]

    def exercised(self, batches: tuple[int, ...]) -> bool:
        """Whether in the batches' rows both the inputs and the gradients are more than zeros."""
        runs = self._rows.runs(batches)
        return all(any(bool(each[run].any()) for run in runs) for each in (self._inputs, self._gradients[0]))

    def row_sums(self) -> list[RowSums]:
        """For every product of every variant: what each row adds to the scores."""
        sums = arrived(self._sums_on_host, self._arrived)
        norms, signed = sums[:, 0], sums[:, 1:]
        saturated = underflowed = np.zeros(norms.shape, dtype=bool)
        # Both are rare, so only now is it worth looking at single products.
        if not np.all(norms < SATURATION):
            norms = self._looked_at(_clamped_norm).astype(np.float64)
            saturated = self._looked_at(_any_saturated) > 0
        if not norms.any(axis=1).all():
            underflowed = self._looked_at(_any_underflowed) > 0
        self._forget()
        return [RowSums(*each) for each in zip(norms, saturated, underflowed, signed, strict=True)]

    def _looked_at(self, reduce: Reduce) -> NDArray[np.float32]:
        with current(self._device):
            values: NDArray[np.float32] = self._stacked(reduce, 1).squeeze(1).cpu().numpy()
        return values

    def _float(self, parts: Sequence[Tensor]) -> Tensor:
        """The rows of all batches, in float32 where the weights are."""
        return torch.cat([part.to(self._device, non_blocking=True) for part in parts]).float()

    def _stacked(self, reduce: Reduce, numbers: int) -> Tensor:
        return torch.stack([each for variant in self._variants for each in self._reduced(variant, reduce, numbers)])

    def _forget(self) -> None:
        """Free what can be computed again: the next group begins before this one ends."""
        self._quantized.clear()
        for name in self._computable:
            self.__dict__.pop(name, None)

    def _reduced(self, variant: InputVariant, reduce: Reduce, numbers: int) -> Iterable[Tensor]:
        runs = self._rows.runs(variant.batches)
        quantized = self._quantized_inputs(variant) if variant.maxima else None
        for each in variant.products:
            result = self._zeros(numbers)
            gradients = self._gradients_of(each)
            weight = self._weight if each.weight is None else self._quantized_weight(each.weight)
            if quantized is None:
                weight = weight - self._weight
            for part in chunks(runs, self._chunk_elements // len(weight)):
                difference = self._difference(part, quantized, weight, alone=each.weight is None)
                values = reduce(difference, [of_kind[part] for of_kind in gradients])
                result[: len(values), part] = values
            yield result

    def _zeros(self, numbers: int) -> Tensor:
        return torch.zeros((numbers, len(self._inputs)), device=self._inputs.device)

    def _gradients_of(self, product: Product) -> list[Tensor]:
        # What only one side changes is not asked for in nats.
        return self._gradients if product.whole else self._gradients[:1]

    def _difference(self, part: slice, quantized: Tensor | None, weight: Tensor, *, alone: bool) -> Tensor:
        """What quantizing changes of the output; `weight` is a change itself where inputs stay as they are."""
        if quantized is None:
            return product(self._inputs[part], weight)
        if alone:
            return product(quantized[part] - self._inputs[part], weight)
        return product(quantized[part], weight).sub_(self._unquantized[part])

    def _quantized_inputs(self, variant: InputVariant) -> Tensor:
        quantizers = variant.quantizers
        assert quantizers is not None  # noqa: S101  a variant with maxima has them
        result = torch.empty_like(self._inputs)
        for batches, maximum in variant.maxima:
            # Filled in, where a copy from the host would wait for the device.
            amax = torch.full((), maximum, device=self._device)
            for part in self._rows.runs(batches):
                result[part] = quantizers.quantize_input(self._inputs[part], amax)
        return result

    def _quantized_weight(self, quantizers: FormatQuantizers) -> Tensor:
        quantized = self._quantized.get(quantizers.weight_key)
        if quantized is None:
            quantized = self._quantized[quantizers.weight_key] = self._with_quantized_weight(quantizers)
        return quantized

    def _with_quantized_weight(self, quantizers: FormatQuantizers) -> Tensor:
        return _joined([quantizers.quantize_weight(weight) for weight in self._weights])

    @functools.cached_property
    def _weights(self) -> list[Tensor]:
        return [weight.float() for weight in self._own_weights]

    @functools.cached_property
    def _weight(self) -> Tensor:
        return _joined(self._weights)

    @functools.cached_property
    def _unquantized(self) -> Tensor:
        return product(self._inputs, self._weight)


def _joined(parts: list[Tensor], dim: int = 0) -> Tensor:
    """Concatenate without a copy where there is but one part."""
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=dim)


def under_way(values: Tensor) -> tuple[Tensor, torch.cuda.Event | None]:
    """A copy on the host; from a GPU it is there once the event has happened."""
    host = to_host(values)
    if values.device.type != "cuda":
        return host, None
    event = torch.cuda.Event()
    event.record(torch.cuda.current_stream(values.device))
    return host, event


def arrived(host: Tensor, event: torch.cuda.Event | None) -> NDArray[np.float64]:
    """What was under way, once it is there."""
    if event is not None:
        event.synchronize()
    return host.numpy().astype(np.float64)


def chunks(runs: Iterable[slice], limit: int) -> Iterator[slice]:
    limit = max(limit, 1)
    for run in runs:
        rows = run.stop - run.start
        # Even parts: a short rest at the end would be a slow product.
        step = -(-rows // -(-rows // limit))
        for start in range(run.start, run.stop, step):
            yield slice(start, min(start + step, run.stop))


def _by_kind(seen: GroupRows) -> Iterator[list[list[Tensor]]]:
    """The loss's gradients, then those of every probe: by layer, and by batch."""
    kinds = len(seen.gradients[seen.group.name][0])
    for kind in range(kinds):
        yield [[batch[kind] for batch in seen.gradients[name]] for name in seen.group.members]


def _norm_and_dots(difference: Tensor, gradients: Sequence[Tensor]) -> Tensor:
    """With the loss's gradient the norm of the products, with each probe's their sum."""
    of_loss, *of_probes = gradients
    dots = [(difference * of_probe).sum(dim=1) for of_probe in of_probes]
    return torch.stack([torch.linalg.vector_norm(difference.mul_(of_loss), dim=1), *dots])


def _clamped_norm(difference: Tensor, gradients: Sequence[Tensor]) -> Tensor:
    products = difference.mul_(gradients[0]).clamp_(-SATURATION, SATURATION)
    result: Tensor = torch.linalg.vector_norm(products, dim=1)
    return result[None]


def _any_saturated(difference: Tensor, gradients: Sequence[Tensor]) -> Tensor:
    return (difference.mul_(gradients[0]).abs_() >= SATURATION).any(dim=1).float()[None]


def _any_underflowed(difference: Tensor, gradients: Sequence[Tensor]) -> Tensor:
    """Where both factors are more than zero, of a row whose norm is zero."""
    return ((difference != 0) & (gradients[0] != 0)).any(dim=1).float()[None]
