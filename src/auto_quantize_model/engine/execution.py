"""Running a prepared pass on its engine: one outcome a case."""

from __future__ import annotations

import dataclasses
import fnmatch
from typing import TYPE_CHECKING

import numpy as np
import torch

from auto_quantize_model.engine.capture.batches import tokenize
from auto_quantize_model.engine.capture.groups import find_groups
from auto_quantize_model.engine.costs import with_costs
from auto_quantize_model.engine.in_checkpoint import in_checkpoint
from auto_quantize_model.engine.loaded_pass import LoadedPass
from auto_quantize_model.engine.machine.environment import describe_environment
from auto_quantize_model.engine.measurement.files import MeasuredPlace
from auto_quantize_model.engine.measurement.held_out import HeldOut
from auto_quantize_model.engine.measurement.maxima import not_measurable
from auto_quantize_model.engine.measurement.pass_measurement import PassMeasurement, Scored
from auto_quantize_model.engine.modelopt_loop import score_with_modelopt
from auto_quantize_model.engine.one_pass import score
from auto_quantize_model.engine.predictions import with_predictions
from auto_quantize_model.engine.search import search
from auto_quantize_model.errors import CaseError, NotCoveredError
from auto_quantize_model.families import load_model
from auto_quantize_model.plan import format_key, size_key
from auto_quantize_model.precision.conversion import convert_others
from auto_quantize_model.reporting import silent
from auto_quantize_model.scores import CaseScores, GroupScore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from auto_quantize_model.cases.suite import Case
    from auto_quantize_model.engine.capture.batches import TokenBatch
    from auto_quantize_model.engine.capture.groups import Layout
    from auto_quantize_model.engine.measurement.pass_measurement import CaseMeasured
    from auto_quantize_model.engine.pass_files import PassScores
    from auto_quantize_model.engine.preparation import PreparedFormat, PreparedPass
    from auto_quantize_model.families.loaded import LoadedModel
    from auto_quantize_model.plan import FormatSize, SizePlan
    from auto_quantize_model.precision.formats import ResolvedFormat
    from auto_quantize_model.precision.quantizers import FormatQuantizers
    from auto_quantize_model.reporting import Progress, Reporting
    from auto_quantize_model.scores import Group, InCheckpoint, Selection


@dataclasses.dataclass(frozen=True, slots=True)
class ScoredCase:
    """What a case's manifest is made of."""

    case: Case
    environment: Mapping[str, str]
    size: SizePlan
    resolved: ResolvedFormat
    scores: CaseScores
    selection: Selection


@dataclasses.dataclass(frozen=True, slots=True)
class FailedCase:
    """A case that has no scores, and why."""

    case: Case
    reason: str


Outcome = ScoredCase | FailedCase


@dataclasses.dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a result states of the model and its data."""

    layout: Layout
    batches: Sequence[TokenBatch]
    dtype: str
    in_checkpoint: InCheckpoint
    environment: Mapping[str, str]
    """The machine and the versions that the scores come from."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Found:
    """What the engine finds for one case."""

    groups: Sequence[GroupScore]
    selection: Selection
    measured: CaseMeasured | None = None


def execute(prepared: PreparedPass, reporting: Reporting) -> Iterator[Outcome]:
    """Run the pass; a case that cannot be run fails alone."""
    run = _execute_replay if prepared.engine == "replay" else _execute_modelopt
    return run(prepared, reporting)


def _execute_replay(prepared: PreparedPass, reporting: Reporting) -> Iterator[Outcome]:
    if not prepared.formats:
        yield from failed(prepared, {})
        return
    reasons: dict[str, str] = {}
    try:
        facts, found, not_covered = _replayed(prepared, reporting)
    except CaseError as error:
        # Yielded only after this block: the error holds on to the model that it happened with.
        reasons = dict.fromkeys(prepared.formats, str(error))
    if reasons:
        yield from failed(prepared, reasons)
        return
    yield from _outcomes(prepared, facts, found, not_covered)


def outcomes(
    prepared: PreparedPass,
    facts: ModelFacts,
    scores: Mapping[FormatSize, Sequence[GroupScore]],
    not_covered: Mapping[str, str],
) -> Iterator[Outcome]:
    """What becomes of each case of a pass whose groups are scored, wherever that was."""
    yield from _outcomes(prepared, facts, _found(prepared, scores, facts.batches), not_covered)


def _outcomes(
    prepared: PreparedPass, facts: ModelFacts, found: Mapping[int, _Found], not_covered: Mapping[str, str]
) -> Iterator[Outcome]:
    refused = {**prepared.refused, **not_covered}
    for number, case in enumerate(prepared.plan.cases):
        key = format_key(case)
        if key in refused:
            yield FailedCase(case, refused[key])
        else:
            yield _scored(prepared, case, facts, found[number])


def _replayed(prepared: PreparedPass, reporting: Reporting) -> tuple[ModelFacts, dict[int, _Found], dict[str, str]]:
    """All of the pass, by the case's place in it: cases of one id may differ in their settings.

    Beside it the formats that this model has no replay for, with the reason.

    The model is freed on return, though results may be fetched much later, or never.
    """
    work, not_covered = load_pass(prepared, reporting.progress)
    # Captions that cannot be read are told before the pass, not after it.
    held_out = HeldOut.read(work.loaded, prepared.plan, prepared.measure.captions)
    scores = score(work, prepared.captures, reporting)
    found = _found(prepared, scores.groups, work.batches)
    if prepared.measure.scope:
        try:
            _measure(prepared, work, scores, held_out, found, reporting)
        except (CaseError, torch.OutOfMemoryError) as error:
            # The scores are there, and are not lost with it.
            reason = error if isinstance(error, CaseError) else "out of GPU memory"
            reporting.notice(f"{prepared.plan.cases[0].model.name}: nothing is measured: {reason}")
    return _facts(work.loaded, work.layout, work.batches), found, not_covered


def load_pass(prepared: PreparedPass, progress: Progress = silent) -> tuple[LoadedPass, dict[str, str]]:
    """Load the model, ready to capture and replay; beside it the formats that it has no replay for, with the reason."""
    plan = prepared.plan
    loaded = _load(prepared, progress)
    layout = with_costs(find_groups(loaded), loaded.model, plan.cases[0].autoquant)
    convert_others(loaded.model, loaded.in_scope)
    batches = tokenize(plan, loaded)
    quantizers = {name: each.quantizers for name, each in prepared.formats.items() if each.quantizers is not None}
    not_covered = dict(_not_covered(quantizers, layout))
    for name in not_covered:
        del quantizers[name]
    work = LoadedPass(loaded, layout, plan, batches, quantizers, prepared.checkpoint, prepared.operands)
    return work, not_covered


def _found(
    prepared: PreparedPass, scores: Mapping[FormatSize, Sequence[GroupScore]], batches: Sequence[TokenBatch]
) -> dict[int, _Found]:
    """What was found for each case whose format was scored, by the case's place in the pass."""
    return {
        number: _Found(groups, _search(prepared, case, groups))
        for number, case in enumerate(prepared.plan.cases)
        if (format_key(case), size_key(case)) in scores
        for groups in [_predicted(prepared, case, scores[format_key(case), size_key(case)], batches)]
    }


def _not_covered(formats: Mapping[str, FormatQuantizers], layout: Layout) -> Iterator[tuple[str, str]]:
    """Formats whose calibration needs more of this model than each group's own inputs, with the reason."""
    if not any(group.scored_at for group in layout.groups):
        return
    for name, quantizers in formats.items():
        if "awq" in str(quantizers.algorithm) or "svdquant" in str(quantizers.algorithm):
            what = "ModelOpt searches for this format's scales behind quantized layers of the same group"
            yield name, str(NotCoveredError(what))


def _measure(
    prepared: PreparedPass,
    work: LoadedPass,
    scores: PassScores,
    held_out: HeldOut | None,
    found: dict[int, _Found],
    reporting: Reporting,
) -> None:
    """Add to every case what really quantizing it does."""
    plan = prepared.plan
    reasons = {key: not_measurable(quantizers, work.layout.groups) for key, quantizers in work.formats.items()}
    for key, reason in reasons.items():
        if reason is not None:
            reporting.notice(f"{prepared.formats[key].resolved.name}: not measured: {reason}")
    asking = {number: each for number, each in found.items() if reasons[format_key(plan.cases[number])] is None}
    if not asking:
        return
    cases = [(plan.cases[number], each) for number, each in asking.items()]
    measurement = PassMeasurement(
        work.loaded, work.layout, plan, work.batches, scores.maxima, prepared.measure.scope, held_out
    )
    asked = [
        Scored(plan.size_of(case), work.formats[format_key(case)], each.groups, each.selection.quantized)
        for case, each in cases
    ]
    captures = prepared.captures
    folder = scores.kept_in or captures.shared
    processes = 1 if captures.shared is None else captures.processes
    place = None if folder is None else MeasuredPlace(folder, work.facts, reporting.notice, processes)
    measured = measurement.measure(asked, reporting.progress, place)
    for (number, each), its in zip(asking.items(), measured, strict=True):
        groups = [dataclasses.replace(score, measured=its.groups.get(score.group.name)) for score in each.groups]
        found[number] = _Found(groups, each.selection, its)


def _execute_modelopt(prepared: PreparedPass, reporting: Reporting) -> Iterator[Outcome]:
    batches: Sequence[TokenBatch] = ()
    cases = prepared.plan.cases
    if prepared.measure.scope:
        reporting.notice(f"{cases[0].model.name}: the method kl_div measures already, so nothing else is measured")
    for done, case in enumerate(cases):
        reporting.progress("modelopt", done, len(cases))
        key = format_key(case)
        if key in prepared.refused:
            yield FailedCase(case, prepared.refused[key])
            continue
        try:
            facts, groups = _scored_by_modelopt(prepared, case, reporting, done, batches)
        except CaseError as error:
            yield FailedCase(case, str(error))
        else:
            batches = facts.batches
            yield _scored(prepared, case, facts, _Found(groups, _search(prepared, case, groups)))
    reporting.progress("modelopt", len(cases), len(cases))


def _scored_by_modelopt(
    prepared: PreparedPass, case: Case, reporting: Reporting, done: int, batches: Sequence[TokenBatch]
) -> tuple[ModelFacts, list[GroupScore]]:
    """One case's scores. ModelOpt converts a model in place, so every case gets a fresh one."""
    plan = prepared.plan
    loaded = _load(prepared, reporting.progress, done, len(plan.cases))
    batches = batches or tokenize(plan, loaded)
    layout = with_costs(find_groups(loaded), loaded.model, case.autoquant)
    size, resolved = plan.size_of(case), prepared.formats[format_key(case)].resolved
    facts = _facts(loaded, layout, batches)
    groups = score_with_modelopt(loaded, layout, batches, size, resolved, case.autoquant)
    return facts, _as_asked(prepared, case, groups)


def _predicted(
    prepared: PreparedPass, case: Case, groups: Sequence[GroupScore], batches: Sequence[TokenBatch]
) -> list[GroupScore]:
    tokens = sum(batches[index].loss_tokens for index in prepared.plan.size_of(case).scored)
    return with_predictions(_as_asked(prepared, case, groups), tokens)


def _as_asked(prepared: PreparedPass, case: Case, groups: Sequence[GroupScore]) -> list[GroupScore]:
    """The scores of the groups that are to be quantized: a pair may name modules, a suite may disable some."""
    resolved, disabled = prepared.formats[format_key(case)].resolved, case.autoquant.disabled_layers
    return [
        score
        if resolved.quantizes(score.group.members, score.group.module_types) and not _is_named(score.group, disabled)
        else GroupScore.disabled(score.group)
        for score in groups
    ]


def _is_named(group: Group, patterns: Sequence[str]) -> bool:
    """Whether a pattern names one of the group's modules: as for ModelOpt, that is enough."""
    return any(fnmatch.fnmatch(name, pattern) for name in group.members for pattern in patterns)


def _facts(loaded: LoadedModel, layout: Layout, batches: Sequence[TokenBatch]) -> ModelFacts:
    dtype = str(loaded.dtype).removeprefix("torch.")
    return ModelFacts(layout, batches, dtype, in_checkpoint(loaded, layout), describe_environment(loaded.device))


def _load(prepared: PreparedPass, progress: Progress, done: int = 0, total: int = 1) -> LoadedModel:
    progress("load", done, total)
    model = prepared.plan.cases[0].model
    try:
        loaded = load_model(model, prepared.checkpoint, prepared.device)
    except torch.OutOfMemoryError:
        raise CaseError(
            f"out of GPU memory while '{model.name}' was loaded; "
            "free the GPU of other processes, or let more GPUs be seen"
        ) from None
    # Every manifest states it, and it takes as long as reading the file: part of the load's time.
    _ = prepared.checkpoint.fingerprint
    progress("load", done + 1, total)
    return loaded


def failed(prepared: PreparedPass, reasons: Mapping[str, str]) -> Iterator[FailedCase]:
    """Every case of a pass that came to nothing, each with its format's reason."""
    for case in prepared.plan.cases:
        yield FailedCase(case, {**prepared.refused, **reasons}[format_key(case)])


def _search(prepared: PreparedPass, case: Case, groups: Sequence[GroupScore]) -> Selection:
    return search(groups, prepared.formats[format_key(case)].resolved.effective_bits, case.autoquant)


def _scored(prepared: PreparedPass, case: Case, facts: ModelFacts, found: _Found) -> ScoredCase:
    used = prepared.formats[format_key(case)]
    scores = _case_scores(prepared, case, used, facts, found)
    return ScoredCase(case, facts.environment, prepared.plan.size_of(case), used.resolved, scores, found.selection)


def _case_scores(
    prepared: PreparedPass, case: Case, used: PreparedFormat, facts: ModelFacts, found: _Found
) -> CaseScores:
    size, batches, disabled = prepared.plan.size_of(case), facts.batches, case.autoquant.disabled_layers
    return CaseScores(
        groups=tuple(found.groups),
        left_out=tuple(
            GroupScore.disabled(group) if _is_named(group, disabled) else GroupScore.not_covered(group, reason)
            for group, reason in facts.layout.left_out
        ),
        head=facts.layout.head,
        calibrated_tokens=sum(batches[index].tokens for index in size.calibrated),
        scored_samples=size.scored_samples,
        scored_tokens=sum(batches[index].tokens for index in size.scored),
        loss_tokens=sum(batches[index].loss_tokens for index in size.scored),
        sample_tokens=np.concatenate([batches[index].sample_tokens for index in size.scored]),
        engine={
            "name": prepared.engine,
            "device": prepared.device.type,
            "dtype": facts.dtype,
            "difference_dtype": "float32" if prepared.engine == "replay" else facts.dtype,
            **_rounding(prepared, used),
            "kernels": dataclasses.asdict(used.kernels),
        },
        measured=None if found.measured is None else found.measured.whole,
        measured_on=None if found.measured is None else found.measured.on,
        in_checkpoint=facts.in_checkpoint,
    )


def _rounding(prepared: PreparedPass, used: PreparedFormat) -> dict[str, str]:
    """What the products were rounded to, if they were: what runs again as modules is not."""
    if prepared.operands == "float32" or prepared.engine != "replay" or used.by_module:
        return {}
    return {"replay_precision": "tensor_core", "operand_dtype": prepared.operands}
