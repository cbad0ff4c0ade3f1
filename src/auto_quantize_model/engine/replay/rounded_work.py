"""The arithmetic on one group where its products may be rounded: every difference is formed before its product.

`Q(x)Q(W) - xW = Q(x)(Q(W) - W) + (Q(x) - x)W`. The second term is what the activations alone change, so all weights
share it, and no product of what is not quantized at all is needed.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, ClassVar

from auto_quantize_model.engine.machine.operands import rounded, rounded_product
from auto_quantize_model.engine.replay.group_work import GroupWork, chunks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from auto_quantize_model.engine.capture.captured import GroupRows
    from auto_quantize_model.engine.machine.operands import Operands
    from auto_quantize_model.engine.replay.group_work import Reduce
    from auto_quantize_model.engine.replay.rows import Rows
    from auto_quantize_model.engine.replay.variants import InputVariant, Product
    from auto_quantize_model.precision.quantizers import FormatQuantizers


class RoundedWork(GroupWork):
    """One group's captured rows, and its products of rounded operands."""

    _computable: ClassVar = ("_weights", "_weight", "_rounded_weight")

    def __init__(
        self,
        seen: GroupRows,
        modules: Sequence[Any],
        rows: Rows,
        variants: Sequence[InputVariant],
        chunk_elements: int | None,
        operands: Operands,
    ) -> None:
        self._operands = operands
        super().__init__(seen, modules, rows, variants, chunk_elements)

    def _reduced(self, variant: InputVariant, reduce: Reduce, numbers: int) -> list[Tensor]:
        results = [self._zeros(numbers) for _ in variant.products]
        inputs, change = self._rounded_inputs(variant)
        for part in chunks(self._rows.runs(variant.batches), self._chunk_elements // len(self._weight)):
            alone = None if change is None else self._product(change[part], self._rounded_weight)
            for place, difference in self._differences(variant.products, inputs[part], alone):
                gradients = [of_kind[part] for of_kind in self._gradients_of(variant.products[place])]
                values = reduce(difference, gradients)
                results[place][: len(values), part] = values
        return results

    def _differences(
        self, products: Sequence[Product], inputs: Tensor, alone: Tensor | None
    ) -> Iterator[tuple[int, Tensor]]:
        """By place, what quantizing changes of the output; `alone` is what quantizing the inputs alone does."""
        for place, each in enumerate(products):
            if each.weight is not None:
                difference = self._product(inputs, self._quantized_weight(each.weight))
                yield place, difference if alone is None else difference.add_(alone)
        # Last, for whoever gets it may overwrite it.
        for place, each in enumerate(products):
            if each.weight is None and alone is not None:
                yield place, alone

    def _rounded_inputs(self, variant: InputVariant) -> tuple[Tensor, Tensor | None]:
        """The inputs as the weights meet them, and what quantizing changes of them, if anything."""
        if not variant.maxima:
            return self._rounded(self._inputs), None
        quantized = self._quantized_inputs(variant)
        return self._rounded(quantized), self._rounded(quantized - self._inputs)

    def _with_quantized_weight(self, quantizers: FormatQuantizers) -> Tensor:
        # What quantizing changes of it is all that is asked for.
        return self._rounded(super()._with_quantized_weight(quantizers) - self._weight)

    @functools.cached_property
    def _rounded_weight(self) -> Tensor:
        return self._rounded(self._weight)

    def _rounded(self, values: Tensor) -> Tensor:
        return rounded(values, self._operands)

    def _product(self, rows: Tensor, weight: Tensor) -> Tensor:
        return rounded_product(rows, weight, self._operands)
