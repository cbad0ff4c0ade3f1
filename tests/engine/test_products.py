"""Replay's products: none is worked out twice, and what cases share of them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import torch
from benchmarks.measuring import ProductCounter, unshared_flops

from auto_quantize_model import run_cases
from auto_quantize_model.engine.replay.group_work import GroupWork

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from auto_quantize_model import Suite


def test_no_two_products_of_a_group_are_of_the_same_inputs_and_weights(
    monkeypatch: pytest.MonkeyPatch, llama_suite: Callable[..., Suite]
) -> None:
    products: list[tuple[int, str, str]] = []
    works: list[GroupWork] = []
    real = GroupWork._reduced

    def noted(self: GroupWork, variant: Any, reduce: Any, numbers: int) -> Any:
        if self not in works:
            works.append(self)
        seen = self._quantized_inputs(variant) if variant.maxima else self._inputs
        rows = torch.cat([seen[run] for run in self._rows.runs(variant.batches)])
        for each in variant.products:
            weight = self._weight if each.weight is None else self._quantized_weight(each.weight)
            products.append((works.index(self), _digest(rows), _digest(weight)))
        return real(self, variant, reduce, numbers)

    monkeypatch.setattr(GroupWork, "_reduced", noted)
    results = list(run_cases(llama_suite().select(""), device="cpu"))
    assert len(results) == 30
    # Scales that differ may give the same values by chance.
    assert len(products) > 8 * 15
    assert len(set(products)) >= 0.99 * len(products)


def test_cases_share_most_of_their_products(llama_suite: Callable[..., Suite]) -> None:
    counter = ProductCounter()
    with counter.counting():
        results = list(run_cases(llama_suite().select(""), device="cpu"))
    assert 0 < counter.flops < 0.5 * unshared_flops(results)


def _digest(values: torch.Tensor) -> str:
    return hashlib.sha256(values.contiguous().numpy().tobytes()).hexdigest()
