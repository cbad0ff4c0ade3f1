"""What each stage of the big model's pass should take: counted operations at measured rates, beside what it took.

What is counted are matrix products, the passes over their results, and the bytes of the checkpoint. Quantizing itself,
launches and Python are not, so that a stage that takes much more than predicted spends its time there.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from typing import TYPE_CHECKING

import torch

from auto_quantize_model.engine.machine.operands import rounded, rounded_product
from auto_quantize_model.engine.machine.products import product
from auto_quantize_model.plan import plan_passes
from benchmarks.gpu_check.table import Row
from benchmarks.measuring import operands_of, product_rate, scores_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

    from auto_quantize_model.engine.machine.operands import Operands
    from auto_quantize_model.plan import BatchRange
    from benchmarks.gpu_check.shared import Shared

_FLOAT32 = 4
_SCORE_PASSES = 4
"""How often each number of a difference goes to or from memory: written, read twice and written, read for the norm."""
_PROBE_PASSES = 4
"""For each probe: two numbers read and their product written, then read for the sum."""
_READ = 1 << 30
"""So many bytes of the checkpoint are read to know how fast that is."""


@dataclasses.dataclass(frozen=True, slots=True)
class Counted:
    """Operations of a pass."""

    model_products: float
    """Floating-point operations of the model's matrix products, forward and backward."""
    replay_products: float
    replay_bytes: float
    """What goes through memory between the products of replay."""
    load_bytes: float


@dataclasses.dataclass(frozen=True, slots=True)
class Rates:
    """What the device does in a second."""

    model_products: float
    replay_products: float
    bytes: float
    load_bytes: float


def prediction(shared: Shared) -> Iterator[Row]:
    """Predict each stage, and say what it took."""
    counted, rates = count(shared), measured_rates(shared)
    yield Row("model's products (TFLOP, at TFLOP/s)", _at(counted.model_products, rates.model_products, 1e12))
    yield Row("replay's products (TFLOP, at TFLOP/s)", _at(counted.replay_products, rates.replay_products, 1e12))
    yield Row("passes over their results (GB, at GB/s)", _at(counted.replay_bytes, rates.bytes, 1e9))
    yield Row("the checkpoint (GB, at GB/s)", _at(counted.load_bytes, rates.load_bytes, 1e9))
    for stage, seconds in predicted(counted, rates).items():
        took = shared.matrix.seconds[stage]
        yield Row(f"{stage}, predicted and measured (s)", f"{seconds:.4g}, {took:.4g}: {took / seconds:.3g} times")


def predicted(counted: Counted, rates: Rates) -> dict[str, float]:
    """Seconds, by stage."""
    return {
        "load": counted.load_bytes / rates.load_bytes,
        "capture": counted.model_products / rates.model_products,
        "replay": counted.replay_products / rates.replay_products + counted.replay_bytes / rates.bytes,
    }


def count(shared: Shared) -> Counted:
    """Count from the plan, the shapes and the products that replay was seen to make."""
    found, shape, lengths = shared.matrix, shared.scale.shape, shared.big.lengths
    (plan,) = plan_passes(shared.big.suite.cases)
    scores = scores_of(max(found.results, key=lambda result: scores_of(result).loss_tokens))
    weights = sum(score.group.weights for score in scores.groups)
    backwards = 1 + plan.probes
    every = [_padded(batch, lengths) for batch in plan.batches]
    scored = [every[index] for index in plan.scored]
    # Weights once for each position, attention once for each pair of positions; backward only to the inputs.
    forward = sum(_operations(weights, shape.layers * shape.heads * shape.head, *each) for each in every)
    backward = sum(_operations(weights, 2 * shape.layers * shape.heads * shape.head, *each) for each in scored)
    head = 2.0 * scores.head.weights * scores.loss_tokens * (1 + backwards)
    passes = _SCORE_PASSES + plan.probes * _PROBE_PASSES
    return Counted(
        model_products=forward + backwards * backward + head,
        replay_products=found.flops,
        replay_bytes=found.results_made * passes * _FLOAT32,
        load_bytes=shared.big.gigabytes * 1e9,
    )


def _padded(batch: BatchRange, lengths: Sequence[int]) -> tuple[int, int]:
    """How many captions a batch has, and how many positions each."""
    mine = lengths[batch.start : batch.stop]
    return len(mine), max(mine)


def _operations(weights: int, attention: int, captions: int, positions: int) -> float:
    return 2.0 * captions * positions * (weights + 2 * attention * positions)


def measured_rates(shared: Shared) -> Rates:
    """Measure at the shapes of this model."""
    scale, device = shared.scale, shared.device
    lengths = shared.big.lengths
    (plan,) = plan_passes(shared.big.suite.cases)
    rows = int(statistics.median(each * positions for each, positions in (_padded(b, lengths) for b in plan.batches)))
    dtype = getattr(torch, scale.dtype)
    # The model runs a batch at a time, replay all rows.
    of_model = [(rows, inner, outer) for _, inner, outer in scale.products]
    operands = operands_of(shared.matrix.results[0])
    return Rates(
        model_products=product_rate(
            of_model, device.name, device.synchronise, torch.nn.functional.linear, lambda each: each.to(dtype)
        ),
        replay_products=product_rate(
            scale.products, device.name, device.synchronise, multiplies(operands), lambda each: rounded(each, operands)
        ),
        bytes=_bytes_rate(device.name, device.synchronise),
        load_bytes=_load_rate(shared),
    )


def multiplies(operands: Operands) -> Callable[[Tensor, Tensor], Tensor]:
    """Replay's product of such operands."""
    if operands == "float32":
        return product
    return lambda rows, weight: rounded_product(rows, weight, operands)


def _bytes_rate(device: str, synchronise: Callable[[], None]) -> float:
    """Bytes a second of a pass that reads two tensors and writes one."""
    values = torch.ones(1 << 24, device=device)
    best = 0.0
    for _ in range(10):
        synchronise()
        start = time.perf_counter()
        values.mul_(values)
        synchronise()
        # Both factors are one tensor: it is read once.
        best = max(best, 2 * values.numel() * _FLOAT32 / (time.perf_counter() - start))
    return best


def _load_rate(shared: Shared) -> float:
    """Bytes a second from the disk, or what the system keeps of it, to the device."""
    checkpoint = shared.big.suite.cases[0].checkpoint
    file = max(checkpoint.glob("*.safetensors"), key=lambda each: each.stat().st_size)
    shared.device.synchronise()
    start = time.perf_counter()
    with file.open("rb") as opened:
        content = bytearray(opened.read(_READ))
    torch.frombuffer(content, dtype=torch.uint8).to(shared.device.name)
    shared.device.synchronise()
    return len(content) / (time.perf_counter() - start)


def _at(amount: float, rate: float, unit: float) -> str:
    return f"{amount / unit:.4g} at {rate / unit:.4g}"
