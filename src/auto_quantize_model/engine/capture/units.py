"""Which batches run through the model as one: wider products are faster, and no row of a batch sees another.

What each batch is scored with stays its own: its loss, its maxima, its rows. Only batches of one padded length run
together, so that no batch gets positions that it does not have alone, for padding counts in the maxima too.
"""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING, Literal

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from auto_quantize_model.engine.capture.batches import TokenBatch
    from auto_quantize_model.engine.capture.groups import Layout
    from auto_quantize_model.families.loaded import LoadedModel
    from auto_quantize_model.plan import PassPlan

Unit = tuple[int, ...]
"""Batches, by their positions in a plan, that run together."""

POSITIONS = {"cpu": 512, "cuda": 4096}
"""How many tokens run together, padding included: on CPU, products are as fast as they get from about 250 rows on."""
LOGITS = {"cpu": 1 << 25, "cuda": 1 << 29}
"""How many logits there are at once."""

REPRODUCED = 1e-4
"""How far a batch may come out otherwise beside others than alone: more is no rounding."""


def one_by_one(batches: Sequence[object]) -> tuple[Unit, ...]:
    """Every batch by itself."""
    return tuple((index,) for index in range(len(batches)))


Joined = Literal["none", "calibrating", "all"]
"""Which batches may run together: none, those that only calibrate, or all."""


def may_join(loaded: LoadedModel, layout: Layout, *, calls: bool) -> Joined:
    """Which of a model's batches may run together, as far as can be told before they do."""
    # A product of another size may round otherwise, and in fewer bits than float32 that shows in a score.
    rounds_alike = loaded.dtype == torch.float32
    # What a batch comes out as is looked at where the head begins.
    has_states = loaded.model.base_model is not loaded.model
    # What a layer is called with is recorded for each run as a whole.
    if calls or not (rounds_alike and has_states):
        return "none"
    # So is what experts see. Of batches that only calibrate that is maxima, and no size has a part of a unit alone.
    return "calibrating" if any(group.scored_at for group in layout.groups) else "all"


def run_together(
    plan: PassPlan, batches: Sequence[TokenBatch], loaded: LoadedModel, joined: Joined
) -> tuple[Unit, ...]:
    """Batches of one length and one purpose, as many as are fast.

    None of them straddles the end of a size, whether that is in the plan or not: a capture of one size serves the next.
    """
    if joined == "none":
        return one_by_one(batches)
    kind = loaded.device.type
    scored = set(plan.scored)
    alike: dict[tuple[int, bool, int], list[int]] = {}
    ends = _ends(plan)
    for index, batch in enumerate(batches):
        stage = bisect.bisect_left(ends, plan.batches[index].stop)
        alike.setdefault((stage, index in scored, batch.input_ids.shape[1]), []).append(index)
    units = []
    for (_, scoring, _), members in alike.items():
        limit = POSITIONS[kind]
        if scoring:
            limit = min(limit, LOGITS[kind] // loaded.vocabulary) if joined == "all" else 0
        units += list(_cut(members, batches, limit))
    return tuple(sorted(units))


def _ends(plan: PassPlan) -> list[int]:
    """After how many captions a size of the dataset ends."""
    datasets = {id(case.dataset): case.dataset for case in plan.cases}.values()
    return sorted({dataset.samples(size) for dataset in datasets for size in dataset.size_to_max_samples})


def _cut(members: Iterable[int], batches: Sequence[TokenBatch], limit: int) -> Iterable[Unit]:
    unit: list[int] = []
    positions = 0
    for index in members:
        mine = batches[index].input_ids.numel()
        if unit and positions + mine > limit:
            yield tuple(unit)
            unit, positions = [], 0
        unit.append(index)
        positions += mine
    yield tuple(unit)
