"""What one pass over one model must do for a set of cases: which batches to run, which of them to score."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from auto_quantize_model.captions.reading import captions_sha256, first_captions, read_captions
from auto_quantize_model.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from auto_quantize_model.cases.settings import Size
    from auto_quantize_model.cases.suite import Case


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class BatchRange:
    """The captions of one batch: from `start` up to but without `stop`."""

    start: int
    stop: int


@dataclasses.dataclass(frozen=True, slots=True)
class SizePlan:
    """What one calibration size needs of the pass; numbers are positions in `RunPlan.batches`."""

    size: Size
    samples: int
    calibrated: tuple[int, ...]
    scored: tuple[int, ...]
    scored_samples: int
    captions_sha256: str


@dataclasses.dataclass(frozen=True, slots=True)
class RunPlan:
    """One pass over one model: every case of the model that shares data and settings."""

    cases: tuple[Case, ...]
    captions: tuple[str, ...]
    batches: tuple[BatchRange, ...]
    sizes: dict[Size, SizePlan]

    @property
    def scored(self) -> tuple[int, ...]:
        """Every batch that any size scores."""
        return tuple(sorted({index for size in self.sizes.values() for index in size.scored}))


def batch_ranges(samples: int, batch_size: int) -> tuple[BatchRange, ...]:
    """Cut the first `samples` captions into batches; the last may be smaller."""
    return tuple(BatchRange(start, min(start + batch_size, samples)) for start in range(0, samples, batch_size))


def scored_count(batches: int, score_size: int, batch_size: int) -> int:
    """How many of a size's batches are scored."""
    return min(batches, max(score_size // batch_size, 1))


def plan_runs(cases: Iterable[Case]) -> tuple[RunPlan, ...]:
    """Group cases into passes, in the order of their first case, and read their captions."""
    groups: dict[str, list[Case]] = {}
    meanings: dict[str, str] = {}
    for case in cases:
        key, meaning = _run_key(case), case.pair.model_dump_json()
        # A pair's name means one thing within a pass; cases of another suite may mean another.
        while meanings.setdefault(f"{key}\n{case.pair.name}", meaning) != meaning:
            key += "\nanother"
        groups.setdefault(key, []).append(case)
    return tuple(_plan_run(members) for members in groups.values())


def _run_key(case: Case) -> str:
    settings = (case.model, case.dataset, case.autoquant)
    return "\n".join([str(case.models_root), str(case.data_root), *(each.model_dump_json() for each in settings)])


def _plan_run(cases: Sequence[Case]) -> RunPlan:
    autoquant = cases[0].autoquant
    captions = _captions(cases)
    ranges = {size: batch_ranges(len(mine), autoquant.batch_size) for size, mine in captions.items()}
    # A size whose last batch is not full has a batch that no other size has.
    batches = tuple(sorted({each for mine in ranges.values() for each in mine}))
    position = {each: index for index, each in enumerate(batches)}
    sizes = {}
    for size, mine in ranges.items():
        calibrated = tuple(position[each] for each in mine)
        scored = calibrated[: scored_count(len(mine), autoquant.score_size, autoquant.batch_size)]
        sizes[size] = SizePlan(
            size=size,
            samples=len(captions[size]),
            calibrated=calibrated,
            scored=scored,
            scored_samples=batches[scored[-1]].stop,
            captions_sha256=captions_sha256(captions[size]),
        )
    return RunPlan(tuple(cases), tuple(captions[max(captions, key=lambda size: len(captions[size]))]), batches, sizes)


def _captions(cases: Sequence[Case]) -> dict[Size, list[str]]:
    """Each size's captions; every size must be a prefix of the larger ones, or one pass could not serve them."""
    found: dict[Size, list[str]] = {}
    files = {case.size: case.captions_file for case in cases}
    for case in cases:
        if case.size not in found:
            file = files[case.size]
            found[case.size] = first_captions(file, read_captions(file), case.dataset.samples(case.size), case.size)
    longest = max(found, key=lambda size: len(found[size]))
    for size, captions in found.items():
        for number, (mine, theirs) in enumerate(zip(captions, found[longest], strict=False), start=1):
            if mine != theirs:
                raise InputError(
                    f"{files[size]}: caption {number} differs from that of {files[longest]}; "
                    "each size must be a prefix of the next"
                )
    return found
