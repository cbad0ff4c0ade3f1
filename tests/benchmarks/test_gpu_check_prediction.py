"""What the GPU check predicts of a pass is counted as it really runs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from benchmarks.floors import ProductsSeen, flops
from benchmarks.gpu_check.prediction import Counted, Rates, count, predicted
from benchmarks.measuring import ProductCounter, run, scores_of
from benchmarks.random_qwen3_vl import Shape

if TYPE_CHECKING:
    from collections.abc import Callable

    from auto_quantize_model import Suite


def test_counted_operations_are_those_that_ran(llama_suite: Callable[..., Suite]) -> None:
    cases = llama_suite().select("small and (wfp8_afp8 or wint8_afp16)")
    counter = ProductCounter()
    with counter.counting(), ProductsSeen() as seen:
        results = run(cases, "replay", progress=seen)
    shared: Any = SimpleNamespace(
        matrix=SimpleNamespace(results=results, flops=counter.flops, results_made=counter.results),
        scale=SimpleNamespace(shape=Shape(2, 64, 128, heads=4, key_value_heads=2, vocabulary=512, head=16)),
        big=SimpleNamespace(
            suite=SimpleNamespace(cases=cases), lengths=scores_of(results[0]).sample_tokens.tolist(), gigabytes=0.5
        ),
    )
    counted = count(shared)
    # Attention is no product that torch shows, and batches are padded to a few lengths.
    assert counted.model_products == pytest.approx(flops(seen.by_stage["capture"]), rel=0.15)
    assert counted.replay_products == pytest.approx(flops(seen.by_stage["replay"]))
    assert counted.load_bytes == 5e8


def test_a_stage_takes_what_its_operations_take_at_their_rates() -> None:
    counted = Counted(model_products=6e12, replay_products=4e12, replay_bytes=3e9, load_bytes=8e9)
    rates = Rates(model_products=3e12, replay_products=1e12, bytes=1e9, load_bytes=2e9)
    assert predicted(counted, rates) == {"load": 4, "capture": 2, "replay": 4 + 3}
