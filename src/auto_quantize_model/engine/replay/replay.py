"""Replay: every case's scores from one capture, group by group, without running the model again."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import torch

from auto_quantize_model.engine.machine.devices import current
from auto_quantize_model.engine.machine.lookahead import one_ahead, one_behind
from auto_quantize_model.engine.machine.sharing import do_each_once
from auto_quantize_model.engine.replay.group_work import GroupWork, RowSums
from auto_quantize_model.engine.replay.input_maxima import calibration_of, input_maxima
from auto_quantize_model.engine.replay.module_work import ModuleWork, calibrated_ways, inner_of
from auto_quantize_model.engine.replay.rounded_work import RoundedWork
from auto_quantize_model.engine.replay.variants import input_variants
from auto_quantize_model.reporting import silent
from auto_quantize_model.scores import GroupScore, Split
from auto_quantize_model.statistics.predicted_kl import caption_kl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from auto_quantize_model.engine.capture.captured import Captured, GroupRows
    from auto_quantize_model.engine.machine.operands import Operands
    from auto_quantize_model.engine.replay.input_maxima import InputMaximum
    from auto_quantize_model.engine.replay.rows import Rows
    from auto_quantize_model.engine.replay.score_files import ScoreFiles
    from auto_quantize_model.engine.replay.variants import Side
    from auto_quantize_model.families.loaded import LoadedModel
    from auto_quantize_model.plan import FormatSize, PassPlan, SizePlan
    from auto_quantize_model.precision.quantizers import FormatQuantizers
    from auto_quantize_model.reporting import Progress
    from auto_quantize_model.scores import Group, Status

    GroupScores = Mapping[FormatSize, GroupScore]


@torch.inference_mode()
def replay(
    captured: Captured,
    loaded: LoadedModel,
    plan: PassPlan,
    rows: Rows,
    formats: Mapping[str, FormatQuantizers],
    progress: Progress = silent,
    *,
    files: ScoreFiles | None = None,
    chunk_elements: int | None = None,
    counted: Mapping[int, Tensor] | None = None,
    operands: Operands = "float32",
) -> dict[FormatSize, list[GroupScore]]:
    """Score every group for every case whose format has quantizers; the capture is emptied on the way.

    What is in `files` already is not scored again; where they are shared, several processes score each group once
    between them. Fewer `chunk_elements` take less memory. `operands` are what plain products may be rounded to; what
    runs again as a module stays in float32, for its differences are those of two outputs.
    """
    work = Replay(captured, loaded, plan, rows, formats, chunk_elements, counted, operands)
    groups = captured.layout.groups
    if files is None or not files.shared:
        by_group = _score_alone(work, groups, files, progress)
    else:
        by_group = _score_between_processes(work, groups, files, progress)
    return {each: [scores[each] for scores in by_group] for each in work.wanted}


def _score_alone(
    work: Replay, groups: Sequence[Group], files: ScoreFiles | None, progress: Progress
) -> list[GroupScores]:
    found = {} if files is None else {index: files.read(index) for index in range(len(groups)) if files.has(index)}
    left = [index for index in range(len(groups)) if index not in found]
    begun = map(work.begin, work.rows(groups[index] for index in left))
    for index, scores in zip(left, one_behind(begun, _finish), strict=True):
        found[index] = scores
        if files is not None:
            files.write(index, scores)
        progress("replay", len(found), len(groups))
    return [found[index] for index in range(len(groups))]


def _score_between_processes(
    work: Replay, groups: Sequence[Group], files: ScoreFiles, progress: Progress
) -> list[GroupScores]:
    scored = [0]

    def score(index: int) -> Callable[[], None]:
        begun = work.begin(work.take(groups[index]))

        def write() -> None:
            files.write(index, begun.finish())
            scored.append(files.count())
            progress("replay", scored[-1], len(groups))

        return write

    do_each_once(range(len(groups)), files.has, score, files.lock)
    if scored[-1] < len(groups):
        progress("replay", len(groups), len(groups))
    return [files.read(index) for index in range(len(groups))]


def _finish(begun: _Begun | _NotCovered) -> GroupScores:
    return begun.finish()


class Replay:
    """What the work on every group shares, and the work on one."""

    def __init__(
        self,
        captured: Captured,
        loaded: LoadedModel,
        plan: PassPlan,
        rows: Rows,
        formats: Mapping[str, FormatQuantizers],
        chunk_elements: int | None = None,
        counted: Mapping[int, Tensor] | None = None,
        operands: Operands = "float32",
    ) -> None:
        """What is asked of the replay as a whole; see `replay`."""
        self.wanted = plan.format_sizes(formats)
        self._captured = captured
        self._loaded = loaded
        self._plan = plan
        self._rows = rows
        self._formats = formats
        self._chunk_elements = chunk_elements
        self._maxima = dict(zip((group.name for group in captured.layout.groups), captured.maxima(), strict=True))
        self._unpadded = dict(zip(self._maxima, captured.unpadded_maxima(), strict=True))
        self._inner = captured.inner_maxima()
        self._counted = counted or {}
        self._operands = operands

    @torch.inference_mode()
    def score(self, group: Group) -> GroupScores:
        """One group by itself."""
        return self.begin(self.take(group)).finish()

    def rows(self, groups: Iterable[Group]) -> Iterator[GroupRows]:
        """What each group saw; from disk, while the group before is worked on."""
        taken = map(self.take, groups)
        return one_ahead(taken) if self._captured.on_disk else taken

    def take(self, group: Group) -> GroupRows:
        """What a group saw."""
        return self._captured.take(group)

    def begin(self, seen: GroupRows) -> _Begun | _NotCovered:
        """Start the work on a group; on a GPU it continues while others begin."""
        group = seen.group
        problem = self._captured.problems.get(group.name)
        if problem is not None:
            return _NotCovered(GroupScore.not_covered(group, problem), self.wanted)
        maxima = input_maxima(
            self._plan, self._formats, self.wanted, self._maxima[group.name], self._unpadded[group.name]
        )
        begun = _Begun(group, self._plan, self._rows, self.wanted, maxima)
        if seen.complete:
            by_module = [each for each in self.wanted if group.scored_at or self._formats[each[0]].by_module]
            products = [each for each in self.wanted if each not in by_module]
            if products:
                begun.work.append(self._begin_products(seen, products))
            if by_module:
                begun.work.append(self._begin_module(seen, by_module))
        return begun

    def _begin_products(self, seen: GroupRows, wanted: Sequence[FormatSize]) -> GroupWork:
        modules = [self._loaded.model.get_submodule(name) for name in seen.group.members]
        variants = input_variants(self._plan, self._formats, wanted, self._maxima[seen.group.name])
        with current(modules[0].weight.device):
            if self._operands == "float32":
                return GroupWork(seen, modules, self._rows, variants, self._chunk_elements)
            return RoundedWork(seen, modules, self._rows, variants, self._chunk_elements, self._operands)

    def _begin_module(self, seen: GroupRows, wanted: Sequence[FormatSize]) -> ModuleWork:
        inner = inner_of(seen.group, self._inner)
        ways = calibrated_ways(self._plan, self._formats, wanted, inner)
        return ModuleWork(seen, self._loaded.model, self._rows, self._counted, ways, inner)


class _NotCovered:
    """A group that cannot be scored."""

    def __init__(self, score: GroupScore, wanted: Sequence[FormatSize]) -> None:
        self._scores = dict.fromkeys(wanted, score)

    def finish(self) -> GroupScores:
        """The same for every case."""
        return self._scores


class _Begun:
    """A group whose products are under way."""

    def __init__(
        self,
        group: Group,
        plan: PassPlan,
        rows: Rows,
        wanted: Sequence[FormatSize],
        maxima: Mapping[FormatSize, InputMaximum],
    ) -> None:
        self.work: list[GroupWork | ModuleWork] = []
        self._maxima = maxima
        self._group = group
        self._plan = plan
        self._rows = rows
        self._wanted = wanted

    def finish(self) -> GroupScores:
        """Wait for the products, and make the scores of them."""
        scores: dict[FormatSize, GroupScore] = {}
        for work in self.work:
            sides_of: dict[FormatSize, dict[Side, RowSums]] = {}
            for serves, values in zip(work.serves, work.row_sums(), strict=True):
                for key, side in serves:
                    sides_of.setdefault(key, {})[side] = values
            for key, sides in sides_of.items():
                scores[key] = self._score(key, sides, work)
        nothing: dict[Side, RowSums] = {"both": RowSums.zeros(len(self._rows.batch), self._plan.probes)}
        return {key: scores.get(key) or self._score(key, nothing, None) for key in self._wanted}

    def _score(self, key: FormatSize, sides: Mapping[Side, RowSums], work: GroupWork | ModuleWork | None) -> GroupScore:
        size = self._plan.sizes[key[1]]
        score = _group_score(self._group, size, self._rows, sides, work)
        maximum = self._maxima.get(key)
        if maximum is None:
            return score
        calibration = calibration_of(maximum, score.score, size, self._rows, sides)
        return dataclasses.replace(score, padding_sets_maximum=maximum.padded, calibration=calibration)


def _group_score(
    group: Group,
    size: SizePlan,
    rows: Rows,
    sides: Mapping[Side, RowSums],
    work: GroupWork | ModuleWork | None,
) -> GroupScore:
    sums = sides["both"]
    samples = rows.take(rows.sample, size.scored)
    squares = np.square(rows.take(sums.norms, size.scored))
    sample_scores = _per_sample(samples, squares, size.scored_samples)
    signed = np.stack(
        [_per_sample(samples, of_probe, size.scored_samples) for of_probe in rows.take(sums.signed, size.scored)]
    )
    by_row = caption_kl(rows.take(sums.signed, size.scored))
    status: Status = "scored"
    if not all(np.isfinite(each).all() for each in (squares, np.square(signed), by_row)):
        status = "non_finite"
    elif rows.take(sums.saturated, size.scored).any():
        status = "saturated"
    elif not squares.any() and not _is_lossless(sums, size, rows, work):
        status = "not_exercised"
    return GroupScore(
        group=group,
        score=float(sample_scores.sum()),
        predicted_kl=None,
        sample_scores=sample_scores,
        sample_kl=None,
        signed=signed,
        row_kl=_per_sample(samples, by_row, size.scored_samples),
        status=status,
        split=_split(size, rows, sides) if "weights" in sides else None,
    )


def _is_lossless(sums: RowSums, size: SizePlan, rows: Rows, work: GroupWork | ModuleWork | None) -> bool:
    """Whether a score of zero was measured: something went through the group, and quantizing it changed nothing."""
    exercised = work is not None and work.exercised(size.scored)
    return exercised and not rows.take(sums.underflowed, size.scored).any()


def _split(size: SizePlan, rows: Rows, sides: Mapping[Side, RowSums]) -> Split:
    weights, activations = (
        float(np.square(rows.take(sides[side].norms, size.scored)).sum()) for side in ("weights", "activations")
    )
    return Split(weights, activations)


def _per_sample(samples: NDArray[np.int64], values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    return np.bincount(samples, weights=values, minlength=count).astype(np.float64)
