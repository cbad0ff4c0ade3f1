"""The groups of a recipe that the captions leave open: between which pairs, what would settle them, what decides."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from auto_quantize_model.captions.nested import SIZE_CAPTIONS
from auto_quantize_model.reports.committed_recipes import SETTLED
from auto_quantize_model.statistics import multiple_choice
from auto_quantize_model.statistics.unsettled import Deciding, deciding, times_to_settle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from auto_quantize_model.recipes.candidates import Candidates
    from auto_quantize_model.recipes.solving import Stability

    Choices = NDArray[np.int64]
    Floats = NDArray[np.float64]

_MOST_TRACED = 50
"""For how many groups the best recipe with the other pair is solved, the least settled ones first."""


@dataclasses.dataclass(frozen=True, slots=True)
class OpenGroup:
    """A group whose pair other captions might change."""

    row: int
    rival: int
    """The column of the pair that it would most likely have instead."""
    times: int | None
    """How many times as many captions would settle it; None where it is more than 16 times."""
    deciding: tuple[Deciding, ...] | None
    """The captions that carry most of what the recipe and the best one with the rival differ by; None: not traced."""


@dataclasses.dataclass(frozen=True, slots=True)
class MoreCaptions:
    """What a suite has that scores so many captions."""

    size: str
    score_size: int | None
    """What `autoquant.score_size` must be for it; None where it may stay."""


def open_groups(
    choice: Candidates, stability: Stability, chosen: Choices, costs: Floats, limit: float
) -> tuple[OpenGroup, ...]:
    """The least settled first; `costs` and `limit` are those that the recipe was solved with."""
    most = stability.shares.max(axis=1)
    rows = np.flatnonzero(most < SETTLED)
    result = []
    for number, row in enumerate(rows[np.argsort(most[rows], kind="stable")].tolist()):
        rival = _rival(stability.shares[row], int(chosen[row]))
        captions = _deciding(choice, chosen, row, rival, costs, limit) if number < _MOST_TRACED else None
        result.append(OpenGroup(row, rival, times_to_settle(float(most[row]), SETTLED), captions))
    return tuple(result)


def more_captions(manifest: Mapping[str, Any], captions: int) -> MoreCaptions | None:
    """The least of the usual sizes that scores so many; None where none does, or where a suite has its own."""
    most = manifest["dataset"]["max_calib_samples"]
    counts = {name: count if most is None else min(count, most) for name, count in SIZE_CAPTIONS.items()}
    if manifest["calibration"]["calibrated_samples"] != counts.get(manifest["case"]["size"]):
        return None
    score_size = manifest["scheme"]["auto_quantize_score_size"]
    enough = [name for name, count in counts.items() if count >= captions]
    as_it_is = [name for name in enough if score_size is None or score_size >= captions]
    if as_it_is:
        return MoreCaptions(as_it_is[0], None)
    return MoreCaptions(enough[0], captions) if enough else None


def _rival(shares: Floats, own: int) -> int:
    others = shares.copy()
    others[own] = -1.0
    return int(others.argmax())


def _deciding(
    choice: Candidates, chosen: Choices, row: int, rival: int, costs: Floats, limit: float
) -> tuple[Deciding, ...] | None:
    """Which captions tell a recipe from the best one in which a group has its rival pair."""
    forced = choice.predicted.copy()
    forced[row] = np.inf
    forced[row, rival] = choice.predicted[row, rival]
    other = multiple_choice.solve(forced, costs, limit)
    if other is None or choice.added is None:
        return None
    rows = np.arange(len(chosen))
    differences = choice.added[rows, other.chosen] - choice.added[rows, chosen]
    return deciding(differences.sum(axis=0), choice.tokens)
