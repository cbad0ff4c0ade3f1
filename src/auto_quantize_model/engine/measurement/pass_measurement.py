"""What a pass measures for its cases: which assignments, on which captions, and whose they are."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from auto_quantize_model.captions.samples import captions_sha256
from auto_quantize_model.engine.machine.sharing import do_each_once
from auto_quantize_model.engine.measurement.captions import caption_tokens
from auto_quantize_model.engine.measurement.measure import assignment_key, measure
from auto_quantize_model.scores import MEASURED, MeasuredOn
from auto_quantize_model.statistics.uncertainty import uncertainties

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from torch import Tensor

    from auto_quantize_model.engine.capture.batches import TokenBatch
    from auto_quantize_model.engine.capture.groups import Layout
    from auto_quantize_model.engine.measurement.files import MeasuredPlace
    from auto_quantize_model.engine.measurement.held_out import HeldOut
    from auto_quantize_model.engine.measurement.maxima import Maxima
    from auto_quantize_model.engine.measurement.quantizing import Assignment
    from auto_quantize_model.families.loaded import LoadedModel
    from auto_quantize_model.measuring import Scope
    from auto_quantize_model.plan import PassPlan, SizePlan
    from auto_quantize_model.precision.quantizers import FormatQuantizers
    from auto_quantize_model.reporting import Progress
    from auto_quantize_model.scores import GroupScore, Measured


_WHOLE = ""
"""Stands for all that the search quantizes, where others are named after a group."""


@dataclasses.dataclass(frozen=True, slots=True)
class Scored:
    """A case that is to be measured."""

    size: SizePlan
    quantizers: FormatQuantizers
    groups: Sequence[GroupScore]
    quantized: Sequence[bool]
    """Which of the groups the search quantizes."""


@dataclasses.dataclass(frozen=True, slots=True)
class CaseMeasured:
    """What was measured for a case."""

    whole: Measured | None
    """With every group quantized that the search quantizes; None where it quantizes none."""
    groups: Mapping[str, Measured]
    """With one group quantized alone, by its name."""
    on: MeasuredOn


class PassMeasurement:
    """Measures the cases of one pass: what several of them share is measured once."""

    def __init__(
        self,
        loaded: LoadedModel,
        layout: Layout,
        plan: PassPlan,
        batches: Sequence[TokenBatch],
        maxima: Maxima,
        scope: Scope,
        held_out: HeldOut | None,
    ) -> None:
        self._loaded = loaded
        self._layout = layout
        self._plan = plan
        self._scope = scope
        self._maxima = maxima
        self._held_out = held_out
        self._tokens = _tokens_of_captions(plan, batches) if held_out is None else held_out.tokens

    def measure(self, cases: Sequence[Scored], progress: Progress, place: MeasuredPlace | None) -> list[CaseMeasured]:
        """What was measured for each case. What is in its place already is not measured again, by no process."""
        assignments = [self._assignments(case) for case in cases]
        places = [self._measured_on(case.size) for case in cases]
        # One walk for the assignments that some case wants on so many captions; a case with fewer takes its part.
        wanted: dict[Hashable, tuple[Assignment, int]] = {}
        for of_case, on in zip(assignments, places, strict=True):
            for each in of_case.values():
                key = assignment_key(each)
                wanted[key] = each, max(on.samples, wanted.get(key, (each, 0))[1])
        found: dict[Hashable, Measured] = {}
        told = _Told(progress, len(wanted))
        for count in sorted({most for _, most in wanted.values()}):
            here = {key: each for key, (each, most) in wanted.items() if most == count}
            told.begin(len(here))
            found.update(zip(here, self._walk(list(here.values()), count, told, place), strict=True))
        told.end()
        return [
            _case_measured({name: found[assignment_key(each)].first(on.samples) for name, each in of_case.items()}, on)
            for of_case, on in zip(assignments, places, strict=True)
        ]

    def _walk(
        self, assignments: Sequence[Assignment], count: int, told: _Told, place: MeasuredPlace | None
    ) -> list[Measured]:
        tokens = self._tokens[:count]
        groups = self._layout.groups
        if place is None:
            return measure(self._loaded, groups, tokens, assignments, told)
        parts = [assignments[start :: place.processes] for start in range(min(place.processes, len(assignments)))]
        # What is measured beside an assignment may decide its last bits.
        asked = [[sorted(map(repr, assignment_key(each))) for each in part] for part in parts]
        files = place.files([asked, [each.tolist() for each in tokens]])
        if place.processes == 1 and files.has(0):
            place.notice(f"goes on: {len(assignments)} measurements were there from an interrupted run")

        def begin(part: int) -> Callable[[], None]:
            measured = measure(self._loaded, groups, tokens, parts[part], told)
            return lambda: files.write(part, measured)

        do_each_once(range(len(parts)), files.has, begin, files.lock)
        result: list[Measured] = [None] * len(assignments)  # type: ignore[list-item]
        for start in range(len(parts)):
            result[start :: len(parts)] = files.read(start)
        return result

    def _assignments(self, case: Scored) -> dict[str, Assignment]:
        """By the group that is quantized alone; the whole has no name."""
        how = {
            score.group.name: self._maxima.quantized(score.group, case.quantizers, case.size)
            for score in case.groups
            if score.status in MEASURED
        }
        whole = {
            score.group.name: how[score.group.name]
            for score, chosen in zip(case.groups, case.quantized, strict=True)
            if chosen and score.group.name in how
        }
        result: dict[str, Assignment] = {_WHOLE: whole} if whole else {}
        return result | {name: {name: how[name]} for name in _alone(case.groups, self._scope)}

    def _measured_on(self, size: SizePlan) -> MeasuredOn:
        if self._held_out is not None:
            return self._held_out.on
        scored = self._plan.captions[: size.scored_samples]
        return MeasuredOn(None, len(scored), captions_sha256(list(scored)))


def _case_measured(measured: dict[str, Measured], on: MeasuredOn) -> CaseMeasured:
    return CaseMeasured(measured.pop(_WHOLE, None), measured, on)


class _Told:
    """What the user is told of several walks as of one."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._before = self._here = self._last = 0

    def begin(self, assignments: int) -> None:
        """A walk with so many assignments begins."""
        self._before, self._here = self._before + self._here, assignments

    def __call__(self, done: int, of: int) -> None:
        """So much of the walk is done."""
        self._tell(self._before + self._here * done // of)

    def end(self) -> None:
        """All is done, by this process or by others."""
        if self._last < self._total:
            self._tell(self._total)

    def _tell(self, done: int) -> None:
        self._last = done
        self._progress("measure", done, self._total)


def _tokens_of_captions(plan: PassPlan, batches: Sequence[TokenBatch]) -> list[Tensor]:
    """The tokens of every caption, in order; a caption can be in batches of several sizes."""
    by_number = {
        number: tokens
        for captions, batch in zip(plan.batches, batches, strict=True)
        for number, tokens in enumerate(caption_tokens([batch]), start=captions.start)
    }
    return [by_number[number] for number in sorted(by_number)]


def _alone(groups: Sequence[GroupScore], scope: Scope) -> list[str]:
    """The groups that are measured alone, in the model's order."""
    measured = [score for score in groups if score.status in MEASURED]
    if scope.what == "cases" or not measured:
        return []
    if scope.what == "all" or scope.top >= len(measured):
        return [score.group.name for score in measured]
    scores = np.array([score.score for score in measured])
    last = np.sort(scores)[-scope.top]
    known = [(each.sample_scores, each.log_spread) for each in measured if each.sample_scores is not None]
    sure = uncertainties([samples for samples, _ in known], [spread for _, spread in known])
    if sure is None or len(sure) < len(measured):
        return [score.group.name for score in measured if score.score >= last]
    band = min(each.tie_band for each, score in zip(sure, measured, strict=True) if score.score >= last)
    return [score.group.name for score, each in zip(measured, sure, strict=True) if each.tie_band >= band]
