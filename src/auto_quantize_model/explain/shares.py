"""How much of a drift each cause explains, from the scores of the reruns."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING

import numpy as np

from auto_quantize_model.explain.reruns import NOTHING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from auto_quantize_model.explain.reruns import Combination

    Vector = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """What one cause, or the interaction of several, or nothing that was tested, adds to a drift."""

    causes: tuple[str, ...]
    """One for a cause by itself, several for their interaction, none for what remains."""
    effect: Vector
    """What it adds to each group's score."""
    share: float | None
    """Its share of the drift; the shares of all parts add up to 1. None where the drift is nothing beside the part."""

    @property
    def total(self) -> float:
        """What it adds to the total score."""
        return float(self.effect.sum())


@dataclasses.dataclass(frozen=True, slots=True)
class Shares:
    """A drift in parts that add up to it, for every group and for the total."""

    groups: tuple[str, ...]
    old: Vector
    new: Vector
    parts: tuple[Part, ...]
    """The causes, then their interactions."""
    residual: Part
    """What is left with everything set back that can be."""

    @property
    def missed(self) -> float:
        """How far setting everything back stays from the older scores, as a fraction of the drift's length."""
        drift = self.new - self.old
        largest = np.abs(drift).max(initial=0.0)
        if not largest:
            return 0.0
        with np.errstate(over="ignore"):
            return float(np.linalg.norm(self.residual.effect / largest) / np.linalg.norm(drift / largest))


def split_drift(
    causes: Sequence[str], old: Mapping[str, float], runs: Mapping[Combination, Mapping[str, float]]
) -> Shares:
    """Split the drift from the older scores to the present ones into parts, over the groups that all have.

    A cause's effect on each group's score is the present score minus that with only this cause set back. The
    interaction of some causes is the effect of setting them all back, minus what their single effects and smaller
    interactions add up to; if only single causes and all together were run, one interaction stands for all. What
    setting everything back does not undo is the residual. So the effects add up to the drift, group by group and in
    total. A part's share is the projection of its effect on the drift, both as vectors over the groups: the shares add
    up to 1, groups that rise do not cancel groups that fall, and a part against the drift has a negative share.
    """
    groups = tuple(name for name in old if all(name in run for run in runs.values()))
    before, now, *_ = vectors = [
        np.array([scores[name] for name in groups], dtype=np.float64) for scores in (old, runs[NOTHING])
    ]
    drift = vectors[1] - vectors[0]
    undone = {
        each: now - np.array([scores[name] for name in groups], dtype=np.float64) for each, scores in runs.items()
    }
    effects: dict[Combination, Vector] = {}
    for combination in sorted(undone, key=len):
        if combination:
            smaller = (effect for each, effect in effects.items() if each < combination)
            effects[combination] = undone[combination] - sum(smaller, np.zeros(len(groups)))
    order = [frozenset(each) for count in range(1, len(causes) + 1) for each in itertools.combinations(causes, count)]
    parts = tuple(
        Part(tuple(name for name in causes if name in each), effects[each], _share(effects[each], drift))
        for each in order
        if each in effects
    )
    rest = drift - undone[frozenset(causes)]
    return Shares(groups, before, now, parts, Part((), rest, _share(rest, drift)))


def _share(effect: Vector, drift: Vector) -> float | None:
    largest = np.abs(drift).max(initial=0.0)
    if largest <= np.finfo(np.float64).eps * np.abs(effect).max(initial=0.0):
        return None
    scaled = drift / largest
    return float((effect / largest) @ scaled / (scaled @ scaled))
