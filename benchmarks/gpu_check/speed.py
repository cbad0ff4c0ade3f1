"""How fast is the matrix of a model of Qwen3-VL-4B's shape, against ModelOpt's loop, and in how much memory."""

from __future__ import annotations

import collections
import statistics
import time
from typing import TYPE_CHECKING

import torch

from auto_quantize_model import run_cases
from auto_quantize_model.captions.nested import SIZE_CAPTIONS
from auto_quantize_model.engine.machine.operands import rounded
from auto_quantize_model.errors import CaseError
from auto_quantize_model.manifest.document import dumps
from benchmarks.gpu_check.prediction import multiplies
from benchmarks.gpu_check.table import Row, short
from benchmarks.measuring import (
    Stages,
    manifest_of,
    operands_of,
    product_rate,
    scores_of,
    timed,
    worst_difference,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auto_quantize_model.cases.settings import Size
    from auto_quantize_model.run import CaseResult
    from benchmarks.gpu_check.shared import Shared

MOST_SECONDS = 30.0
LEAST_RATIO = 30.0
MORE_MEMORY = 24.0
"""GB that the pass may take beside the model."""
LOOP = ("wint8_aint8-medium", "wfp4_afp16-large", "wfp8_afp8-small", "wmxfp4_afp8-medium", "wint8_afp16-large")
"""The cases that ModelOpt runs, the ones that must be there first: one of each size."""
LEFT_TO_OTHERS = 240.0
"""Seconds that ModelOpt's further cases leave to the stages after them."""
ADDED_PAIR = "wfp8_afp8"


def build(shared: Shared) -> Iterator[Row]:
    """Make the big model."""
    shape, big = shared.scale.shape, shared.big
    yield Row(
        "layers, hidden, intermediate, vocabulary",
        f"{shape.layers}, {shape.hidden}, {shape.intermediate}, {shape.vocabulary}",
    )
    yield Row("weights on the disk (GB)", big.gigabytes)


def matrix(shared: Shared) -> Iterator[Row]:
    """All 27 cases in one pass."""
    scale, big, found = shared.scale, shared.big, shared.matrix
    largest = max((scores_of(result) for result in found.results), key=lambda scores: scores.calibrated_tokens)
    yield Row("cases", len(found.results))
    tokens = sum(big.lengths)
    yield Row("calibrated tokens, large", largest.calibrated_tokens, str(tokens), largest.calibrated_tokens == tokens)
    yield Row("captured rows", largest.loss_tokens)
    statuses = collections.Counter(group.status for result in found.results for group in scores_of(result).groups)
    text = ", ".join(f"{count} {each}" for each, count in statuses.items())
    yield Row("groups' scores", text, "all scored", set(statuses) == {"scored"})
    for stage in ("load", "capture", "replay"):
        yield Row(f"{stage} (s)", found.seconds[stage])
    yield Row("rest (s)", found.total - sum(found.seconds.values()))
    yield Row(
        "the pass without load (s)", found.work, f"< {MOST_SECONDS:g}", _judged(shared, found.work < MOST_SECONDS)
    )
    limit = big.gigabytes + MORE_MEMORY
    yield Row("peak memory (GB)", found.peak, f"< {limit:.4g}", _judged(shared, found.peak < limit))
    operands = operands_of(found.results[0])
    device = shared.device
    rate = product_rate(
        scale.products, device.name, device.synchronise, multiplies(operands), lambda each: rounded(each, operands)
    )
    precision = torch.get_float32_matmul_precision()
    yield Row("precision of float32 products", precision, "highest", precision == "highest")
    yield Row("replay's operands", operands)
    yield Row("measured rate of such products (TFLOP/s)", rate / 1e12)
    yield Row("replay's products (TFLOP)", found.flops / 1e12)
    yield Row("replay's share of that rate", found.flops / found.seconds["replay"] / rate)


def modelopt(shared: Shared) -> Iterator[Row]:
    """ModelOpt's loop over some cases; what the others would take is extrapolated."""
    ours = shared.matrix
    theirs: list[CaseResult] = []
    taken: dict[Size, list[float]] = {}
    for result, seconds in _loop(shared):
        yield Row(f"ModelOpt, {short(result.case)}, without load (s)", seconds)
        theirs.append(result)
        taken.setdefault(result.case.size, []).append(seconds)
    # What a case takes depends on its size far more than on its pair.
    loop = sum(statistics.mean(taken[each.case.size]) for each in ours.results)
    yield Row(f"ModelOpt, {len(ours.results)} cases, extrapolated from {len(theirs)} (s)", loop)
    ratio = loop / ours.work
    yield Row("ratio, load left out on both sides", ratio, f"> {LEAST_RATIO:g}", _judged(shared, ratio > LEAST_RATIO))
    worst = worst_difference(ours.results, theirs)
    yield Row(f"worst score difference of those {len(theirs)}, both {shared.scale.dtype}", worst, "no limit")


def captures(shared: Shared) -> Iterator[Row]:
    """The same pass with the captured tensors on the disk, and another pair on the capture that was kept."""
    from auto_quantize_model import CaptureSettings

    folder, device = shared.folder / "captures", shared.device
    stages = Stages(device.synchronise)
    device.forget_peak()
    on_disk = CaptureSettings(folder=folder, keep=True, memory=0)
    results, total = timed(shared.big.suite.cases, "replay", device.name, stages, captures=on_disk)
    yield Row("captured to disk, the pass without load (s)", total - stages.seconds["load"])
    yield Row("  peak memory (GB)", device.peak())
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    yield Row("  the capture that is kept (GB)", size / 1e9)
    yield same_manifests("  manifests as from memory", results, shared.matrix.results)
    added, kept = Stages(device.synchronise), CaptureSettings(folder=folder, keep=True)
    again, total = timed(shared.big.suite.select(ADDED_PAIR), "replay", device.name, added, captures=kept)
    yield Row(f"{ADDED_PAIR} on the kept capture (s)", total)
    for stage, took in added.seconds.items():
        yield Row(f"  {stage} (s)", took)
    yield same_manifests("  manifests as from memory", again, shared.matrix.results)


def same_manifests(what: str, results: Sequence[CaseResult], others: Sequence[CaseResult]) -> Row:
    """Whether manifests are the same byte for byte."""
    expected = {each.case.id: dumps(manifest_of(each)) for each in others}
    same = sum(dumps(manifest_of(each)) == expected[each.case.id] for each in results)
    return Row(what, f"{same} of {len(results)} the same", "all", same == len(results))


def _loop(shared: Shared) -> Iterator[tuple[CaseResult, float]]:
    """ModelOpt's cases, one of each size and then more while there is time; with what each took without its load."""
    shared.warm_up()
    suite, stages = shared.big.suite, Stages(shared.device.synchronise)
    cases = [case for name in LOOP[: shared.scale.loop] for case in suite.select(name.replace("-", " and "))]
    stages.start()
    start, loaded = time.perf_counter(), 0.0
    results = run_cases(cases, engine="modelopt", device=shared.device.name, progress=stages)
    for number, result in enumerate(results, start=1):
        if result.error:
            raise CaseError(f"{result.case.id}: {result.error}")
        shared.device.synchronise()
        seconds = time.perf_counter() - start - (stages.seconds["load"] - loaded)
        yield result, seconds
        # ModelOpt's models hold themselves in cycles; without this the next would be loaded beside them.
        shared.device.forget_peak()
        stages.start()
        start, loaded = time.perf_counter(), stages.seconds["load"]
        if number >= len(SIZE_CAPTIONS) and shared.clock.left < LEFT_TO_OTHERS:
            break


def _judged(shared: Shared, holds: bool) -> bool | None:
    """An aim is one for the GPU and the full size only."""
    return holds if shared.scale.judged else None
