"""What the stages share: the machine, the sizes, a folder, and results that more than one of them looks at."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING

from auto_quantize_model import load_suite
from benchmarks.gpu_check.big_model import BigModel, build_big_model
from benchmarks.measuring import ProductCounter, Stages, run, timed
from benchmarks.places import SUITE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from auto_quantize_model.cases.suite import Case, Suite
    from auto_quantize_model.run import CaseResult
    from benchmarks.gpu_check.device import Device
    from benchmarks.gpu_check.scale import Scale
    from benchmarks.gpu_check.stages import Clock


@dataclasses.dataclass(frozen=True, slots=True)
class Pass:
    """All cases of the big model in one pass, captured in memory."""

    results: list[CaseResult]
    seconds: dict[str, float]
    """By stage."""
    total: float
    flops: float
    """Of replay's matrix products."""
    results_made: float
    """How many numbers came of them."""
    peak: float

    @property
    def work(self) -> float:
        """The seconds without the load."""
        return self.total - self.seconds["load"]


@dataclasses.dataclass
class Shared:
    """Each result is made by whichever stage asks first, so that any stage can run alone."""

    device: Device
    scale: Scale
    folder: Path
    clock: Clock

    @functools.cached_property
    def suite(self) -> Suite:
        """The repository's own suite."""
        return load_suite(SUITE)

    @functools.cached_property
    def embedded(self) -> list[CaseResult]:
        """The embedded model's cases, in this process."""
        return run(self.suite.select(self.scale.embedded), "replay", self.device.name)

    @functools.cached_property
    def big(self) -> BigModel:
        """The big model."""
        return build_big_model(self.scale, self.device, self.folder)

    @functools.cached_property
    def matrix(self) -> Pass:
        """The big model's matrix, with its products as they are chosen for it."""
        return self.one_pass(self.big.suite.cases)

    def one_pass(self, cases: Sequence[Case]) -> Pass:
        """Cases of the big model against the clock."""
        self.warm_up()
        counter, stages = ProductCounter(), Stages(self.device.synchronise)
        self.device.forget_peak()
        with counter.counting():
            results, total = timed(cases, "replay", self.device.name, stages)
        return Pass(results, dict(stages.seconds), total, counter.flops, counter.results, self.device.peak())

    def warm_up(self) -> None:
        """Pay for imports and first calls before a clock runs, once: both engines, on the embedded model."""
        _ = self._warm

    @functools.cached_property
    def _warm(self) -> None:
        cases = self.suite.select("tiny and small and (wint8_aint8 or wfp4_afp8)")
        run(cases, "replay", self.device.name)
        run(cases, "modelopt", self.device.name)
