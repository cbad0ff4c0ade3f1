"""What calibration gives a group's inputs in every case, and what it would give on other captions."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from auto_quantize_model.engine.replay.variants import input_maximum, other_input_maximum, recalibrated
from auto_quantize_model.scores import Calibration
from auto_quantize_model.statistics.calibration import log_spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from auto_quantize_model.engine.replay.group_work import RowSums
    from auto_quantize_model.engine.replay.rows import Rows
    from auto_quantize_model.engine.replay.variants import Side
    from auto_quantize_model.plan import FormatSize, PassPlan, SizePlan
    from auto_quantize_model.precision.quantizers import FormatQuantizers


@dataclasses.dataclass(frozen=True, slots=True)
class InputMaximum:
    """The maximum that a group's inputs are quantized by in one case."""

    padded: bool
    """Whether it comes from positions that only fill a batch up."""
    steady: bool
    """Whether other captions would give the same."""


def input_maxima(
    plan: PassPlan,
    formats: Mapping[str, FormatQuantizers],
    wanted: Iterable[FormatSize],
    maxima: NDArray[np.float32],
    unpadded: NDArray[np.float32],
) -> dict[FormatSize, InputMaximum]:
    """By case, of those whose inputs are calibrated."""
    found = {}
    for each in wanted:
        quantizers, size = formats[each[0]], plan.sizes[each[1]]
        maximum, real = (input_maximum(quantizers, values, size) for values in (maxima, unpadded))
        if maximum is not None and real is not None:
            other = other_input_maximum(quantizers, maxima, size)
            found[each] = InputMaximum(padded=maximum > real, steady=other == maximum)
    return found


def calibration_of(
    maximum: InputMaximum, score: float, size: SizePlan, rows: Rows, sides: Mapping[Side, RowSums]
) -> Calibration:
    """What other captions to calibrate on may change of a score; of modules that run again it is not known."""
    if "other maximum" not in sides:
        return Calibration(0.0 if maximum.steady and "activations" in sides else None)
    batches = recalibrated(size)
    activations = _sum(rows, sides["activations"], size.scored)
    here, by_the_other = (_sum(rows, sides[side], batches) for side in ("activations", "other maximum"))
    if not here > 0:
        return Calibration(0.0 if by_the_other == 0 else None)
    return Calibration(log_spread(score, activations, activations * (by_the_other / here)))


def _sum(rows: Rows, sums: RowSums, batches: tuple[int, ...]) -> float:
    return float(np.square(rows.take(sums.norms, batches)).sum())
