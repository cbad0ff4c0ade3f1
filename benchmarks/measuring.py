"""What every measurement shares: running cases against the clock, counting their products, comparing their scores."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import time
from typing import TYPE_CHECKING, Any
from unittest import mock

import torch

from auto_quantize_model import CaseError, load_suite, run_cases
from auto_quantize_model.engine.machine import operands, products
from auto_quantize_model.engine.replay import group_work, rounded_work
from auto_quantize_model.reporting import silent
from benchmarks.places import SUITE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from auto_quantize_model.cases.suite import Case, Suite
    from auto_quantize_model.engine.machine.operands import Operands
    from auto_quantize_model.engines import EngineName
    from auto_quantize_model.reporting import Progress
    from auto_quantize_model.run import CaseResult
    from auto_quantize_model.scores import CaseScores


MOST_MOVED: Mapping[Operands, float] = {"tf32": 5e-4, "bfloat16": 3.5e-3}
"""What rounding the operands of replay moves a score at most: 3.8e-4 and 2.8e-3 were measured on the embedded model."""


def nothing() -> None:
    """Where work is done when a call returns, there is nothing to wait for."""


@dataclasses.dataclass
class Stages:
    """A progress callback that adds up what each stage takes, however often it comes."""

    synchronise: Callable[[], None] = nothing
    """Waits for the device at the end of a stage, so that no stage pays for the work of another."""
    clock: Callable[[], float] = time.perf_counter
    """Or `time.process_time`, on a machine that others use too."""
    seconds: dict[str, float] = dataclasses.field(default_factory=lambda: collections.defaultdict(float))
    _last: float = 0.0

    def __post_init__(self) -> None:
        """Count from now on."""
        self.start()

    def start(self) -> None:
        """Count from now on."""
        self._last = self.clock()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Add the time since the last report to a stage; what lies before its first report is its own too."""
        if done == total:
            self.synchronise()
        now = self.clock()
        self.seconds[stage] += now - self._last
        self._last = now


@dataclasses.dataclass
class ProductCounter:
    """Counts the floating-point operations of replay's matrix products, and the numbers that come of them."""

    flops: float = 0.0
    results: float = 0.0

    @contextlib.contextmanager
    def counting(self) -> Iterator[None]:
        """Count for the duration of a `with` block."""
        with (
            mock.patch.object(group_work, "product", self._counted(products.product)),
            mock.patch.object(rounded_work, "rounded_product", self._counted(operands.rounded_product)),
        ):
            yield

    def _counted(self, plain: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def counted(rows: Tensor, weight: Tensor, *others: Any) -> Tensor:
            self.flops += 2.0 * rows.shape[0] * weight.numel()
            self.results += float(rows.shape[0] * weight.shape[0])
            return plain(rows, weight, *others)

        return counted


def unshared_flops(results: Sequence[CaseResult]) -> float:
    """What replay's products would take if every case worked out its own: its sides, and the unquantized one."""
    total = 0.0
    for result in results:
        scores = scores_of(result)
        for each in scores.groups:
            products = 1 + (1 if each.split is None else 3)
            total += 2.0 * scores.loss_tokens * each.group.weights * products
    return total


def suite_of(folder: Path, model: str, family: str, dtype: str, *overrides: str) -> Suite:
    """The repository's matrix for one model, whose checkpoint lies in `folder/model/checkpoint`."""
    (folder / model / "model.yaml").write_text(f"family: {family}\ndtype: {dtype}\n", encoding="utf-8")
    return load_suite(SUITE, models_root=folder, overrides=[f"suite.models=[{model}]", *overrides])


def run(
    cases: Sequence[Case], engine: EngineName, device: str = "cpu", progress: Progress = silent, **options: Any
) -> list[CaseResult]:
    """Run cases; one that fails would spoil what is measured."""
    results = list(run_cases(cases, engine=engine, device=device, progress=progress, **options))
    for result in results:
        if result.error:
            raise CaseError(f"{result.case.id}: {result.error}")
    return results


def timed(
    cases: Sequence[Case], engine: EngineName, device: str = "cpu", stages: Stages | None = None, **options: Any
) -> tuple[list[CaseResult], float]:
    """Run cases against the clock, which is that of the stages."""
    stages = stages or Stages()
    start = stages.clock()
    stages.start()
    results = run(cases, engine, device, stages, **options)
    stages.synchronise()
    return results, stages.clock() - start


def product_rate(
    sizes: Sequence[tuple[int, int, int]],
    device: str = "cpu",
    synchronise: Callable[[], None] = nothing,
    multiply: Callable[[Tensor, Tensor], Tensor] = products.product,
    prepare: Callable[[Tensor], Tensor] = torch.Tensor.float,
) -> float:
    """The best rate of a matrix product in floating-point operations a second; sizes are rows, inner, outer."""
    best = 0.0
    for rows, inner, outer in sizes:
        left, right = (prepare(torch.randn(each, inner, device=device)) for each in (rows, outer))
        for _ in range(10):
            synchronise()
            start = time.perf_counter()
            multiply(left, right)
            synchronise()
            best = max(best, 2.0 * rows * inner * outer / (time.perf_counter() - start))
    return best


def operands_of(result: CaseResult) -> Operands:
    """What the products of a case were rounded to."""
    operands: Operands = manifest_of(result)["engine"].get("operand_dtype", "float32")
    return operands


def scores_of(result: CaseResult) -> CaseScores:
    """The scores of a case that ran."""
    if result.scores is None:
        raise CaseError(f"{result.case.id}: {result.error}")
    return result.scores


def manifest_of(result: CaseResult) -> dict[str, Any]:
    """The manifest of a case that ran."""
    if result.manifest is None:
        raise CaseError(f"{result.case.id}: {result.error}")
    return result.manifest


def worst_difference(ours: Sequence[CaseResult], theirs: Sequence[CaseResult]) -> float:
    """The largest relative difference of any group's score in any case that both ran; some are scored by neither."""
    mine = {result.case.id: scores_of(result) for result in ours}
    return max(
        abs(a.score - b.score) / max(a.score, b.score)
        for result in theirs
        for a, b in zip(mine[result.case.id].groups, scores_of(result).groups, strict=True)
        if (a.score, b.score) != (0, 0)
    )
