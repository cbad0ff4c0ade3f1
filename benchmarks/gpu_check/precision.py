"""Replay with rounded operands beside exact replay: how far scores move, and what it gains."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from auto_quantize_model import load_suite
from benchmarks.gpu_check.table import Row, short
from benchmarks.measuring import MOST_MOVED, operands_of, run, worst_difference
from benchmarks.places import SUITE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auto_quantize_model.cases.settings import ReplayPrecision
    from auto_quantize_model.cases.suite import Case
    from benchmarks.gpu_check.shared import Shared

TIMED = "medium"
"""The cases of the big model that run both ways: two passes over all of them would take too long."""


def tensor_core(shared: Shared) -> Iterator[Row]:
    """Both ways on the embedded model, every pair within the bound; both on the big one, against the clock."""
    suite = load_suite(SUITE, overrides=["suite.models=[qwen3_vl_tiny]"])
    cases = suite.select(shared.scale.precision)
    exact, rounding = (run(_with(cases, way), "replay", shared.device.name) for way in ("exact", "tensor_core"))
    yield Row("operands", operands_of(rounding[0]))
    for mine, other in zip(rounding, exact, strict=True):
        worst, most = worst_difference([mine], [other]), MOST_MOVED[operands_of(mine)]
        yield Row(f"{short(mine.case)}, moved by at most", worst, f"{most:g}", worst <= most)
    big = shared.big.suite.select(TIMED)
    slow, fast = (shared.one_pass(_with(big, way)) for way in ("exact", "tensor_core"))
    yield Row(f"{shared.scale.model}, {TIMED}: exact replay (s)", slow.seconds["replay"])
    yield Row("  with rounded operands (s)", fast.seconds["replay"])
    yield Row("  ratio", fast.seconds["replay"] / slow.seconds["replay"])
    yield Row("  operations, ratio", fast.flops / slow.flops)
    yield Row("  a score moved by at most", worst_difference(fast.results, slow.results), "no limit")


def _with(cases: Sequence[Case], way: ReplayPrecision) -> list[Case]:
    return [
        dataclasses.replace(case, autoquant=case.autoquant.model_copy(update={"replay_precision": way}))
        for case in cases
    ]
