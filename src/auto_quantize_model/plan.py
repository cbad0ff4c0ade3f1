"""What one pass over one model must do for a set of cases: which batches to run, which of them to score."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, NamedTuple

from auto_quantize_model.captions.samples import captions_sha256
from auto_quantize_model.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from auto_quantize_model.captions.samples import Sample
    from auto_quantize_model.captions.source import CaptionSource
    from auto_quantize_model.cases.settings import Size
    from auto_quantize_model.cases.suite import Case


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class BatchRange:
    """The captions of one batch: from `start` up to but without `stop`."""

    start: int
    stop: int


class SizeKey(NamedTuple):
    """What tells two sizes of one pass apart: a name may mean other numbers in another suite."""

    size: Size
    samples: int
    score_size: int


FormatSize = tuple[str, SizeKey]
"""A format and a size of the pass, by their keys in its plan."""


@dataclasses.dataclass(frozen=True, slots=True)
class SizePlan:
    """What one calibration size needs of the pass; numbers are positions in `PassPlan.batches`."""

    samples: int
    calibrated: tuple[int, ...]
    scored: tuple[int, ...]
    scored_samples: int
    captions_sha256: str


@dataclasses.dataclass(frozen=True, slots=True)
class PassPlan:
    """One pass over one model: every case that it can serve, whatever their formats and how many captions they take."""

    cases: tuple[Case, ...]
    captions: tuple[Sample, ...]
    batches: tuple[BatchRange, ...]
    sizes: dict[SizeKey, SizePlan]

    def size_of(self, case: Case) -> SizePlan:
        """What a case of the pass needs of it."""
        return self.sizes[size_key(case)]

    def format_sizes(self, formats: Container[str]) -> list[FormatSize]:
        """What the cases with one of these formats ask for, each once."""
        keys = dict.fromkeys((format_key(case), size_key(case)) for case in self.cases)
        return [key for key in keys if key[0] in formats]

    @property
    def probes(self) -> int:
        """How many probes estimate the predicted KL."""
        return self.cases[0].autoquant.probes

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


def size_key(case: Case) -> SizeKey:
    """How many captions a case calibrates with and may score."""
    return SizeKey(case.size, case.dataset.samples(case.size), case.autoquant.score_size)


def format_key(case: Case) -> str:
    """What a case's pair means; equal for cases that are quantized alike, whatever their pairs are called."""
    return case.pair.format.model_dump_json()


def plan_passes(cases: Iterable[Case]) -> tuple[PassPlan, ...]:
    """Group cases into passes, in the order of their first case, and read their captions."""
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(_pass_key(case), []).append(case)
    return tuple(_plan_pass(members) for members in groups.values())


_PER_SIZE = {"size_to_max_samples", "size_files", "max_calib_samples"}
_AFTER_THE_PASS = {"name", "score_size", "effective_bits"}


def _pass_key(case: Case) -> str:
    """Everything that the pass over the model depends on; what only its replay depends on is left out."""
    settings = (
        case.model.model_dump_json(),
        case.dataset.model_dump_json(exclude=_PER_SIZE),
        case.autoquant.model_dump_json(exclude=_AFTER_THE_PASS),
    )
    return "\n".join([str(case.models_root), str(case.data_root), *settings])


def _plan_pass(cases: Sequence[Case]) -> PassPlan:
    batch_size = cases[0].autoquant.batch_size
    captions = _captions(cases)
    ranges = {key: batch_ranges(key.samples, batch_size) for key in captions}
    # A size whose last batch is not full has a batch that no other size has.
    batches = tuple(sorted({each for mine in ranges.values() for each in mine}))
    position = {each: index for index, each in enumerate(batches)}
    sizes = {}
    for key, mine in ranges.items():
        calibrated = tuple(position[each] for each in mine)
        scored = calibrated[: scored_count(len(mine), key.score_size, batch_size)]
        sizes[key] = SizePlan(
            samples=key.samples,
            calibrated=calibrated,
            scored=scored,
            scored_samples=batches[scored[-1]].stop,
            captions_sha256=captions_sha256(captions[key]),
        )
    return PassPlan(tuple(cases), tuple(captions[max(captions, key=lambda key: key.samples)]), batches, sizes)


def _captions(cases: Sequence[Case]) -> dict[SizeKey, list[Sample]]:
    """Each size's captions; every size must be a prefix of the larger ones, or one pass could not serve them."""
    sources = {size_key(case): case.captions for case in cases}
    read = {source: source.read(_most(source, sources)) for source in dict.fromkeys(sources.values())}
    by_size = {key: source.enough(read[source], key.samples, key.size) for key, source in sources.items()}
    longest = max(by_size, key=lambda key: key.samples)
    for key, captions in by_size.items():
        for number, (mine, theirs) in enumerate(zip(captions, by_size[longest], strict=False), start=1):
            if mine != theirs:
                raise InputError(
                    f"{sources[key].place}: caption {number} differs from that of {sources[longest].place}; "
                    "each size must be a prefix of the next"
                )
    return by_size


def _most(source: CaptionSource, sources: Mapping[SizeKey, CaptionSource]) -> int:
    """How many captions of a source any size takes."""
    return max(key.samples for key, its in sources.items() if its == source)
