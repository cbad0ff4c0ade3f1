"""Running a prepared pass on its engine: one outcome a case."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import torch

from auto_quantize_model.engine.capture.batches import tokenize
from auto_quantize_model.engine.capture.groups import check_covered_by_replay, find_groups
from auto_quantize_model.engine.modelopt_loop import score_with_modelopt
from auto_quantize_model.engine.one_pass import LoadedPass, score
from auto_quantize_model.engine.search import search
from auto_quantize_model.errors import CaseError
from auto_quantize_model.families import load_model
from auto_quantize_model.plan import format_key, size_key
from auto_quantize_model.scores import CaseScores

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from auto_quantize_model.cases.suite import Case
    from auto_quantize_model.engine.capture.batches import TokenBatch
    from auto_quantize_model.engine.capture.groups import Layout
    from auto_quantize_model.engine.one_pass import Scores
    from auto_quantize_model.engine.preparation import PreparedFormat, PreparedPass
    from auto_quantize_model.families.loaded import LoadedModel
    from auto_quantize_model.plan import SizePlan
    from auto_quantize_model.precision.formats import ResolvedFormat
    from auto_quantize_model.reporting import Progress, Reporting
    from auto_quantize_model.scores import GroupScore, Selection


@dataclasses.dataclass(frozen=True, slots=True)
class ScoredCase:
    """What a case's manifest is made of."""

    case: Case
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
class _ModelFacts:
    """What a result states of the model and its data."""

    layout: Layout
    batches: Sequence[TokenBatch]
    dtype: str


def execute(prepared: PreparedPass, reporting: Reporting) -> Iterator[Outcome]:
    """Run the pass; a case that cannot be run fails alone."""
    run = _execute_replay if prepared.engine == "replay" else _execute_modelopt
    return run(prepared, reporting)


def _execute_replay(prepared: PreparedPass, reporting: Reporting) -> Iterator[Outcome]:
    plan = prepared.plan
    if not prepared.formats:
        yield from _failed(prepared, plan.cases, {})
        return
    reasons: dict[str, str] = {}
    try:
        facts, scores = _replayed(prepared, reporting)
    except CaseError as error:
        # Yielded only after this block: the error holds on to the model that it happened with.
        reasons = dict.fromkeys(prepared.formats, str(error))
    if reasons:
        yield from _failed(prepared, plan.cases, reasons)
        return
    for case in plan.cases:
        key = format_key(case)
        if key in prepared.refused:
            yield FailedCase(case, prepared.refused[key])
        else:
            yield _scored(prepared, case, facts, scores[key, size_key(case)])


def _replayed(prepared: PreparedPass, reporting: Reporting) -> tuple[_ModelFacts, Scores]:
    """Every score of the pass. The model is freed on return, though results may be fetched much later, or never."""
    loaded = _load(prepared, reporting.progress)
    layout = find_groups(loaded)
    check_covered_by_replay(loaded, layout)
    batches = tokenize(prepared.plan, loaded)
    quantizers = {name: each.quantizers for name, each in prepared.formats.items() if each.quantizers is not None}
    work = LoadedPass(loaded, layout, prepared.plan, batches, quantizers, prepared.checkpoint)
    return _facts(loaded, layout, batches), score(work, prepared.captures, reporting)


def _execute_modelopt(prepared: PreparedPass, reporting: Reporting) -> Iterator[Outcome]:
    batches: Sequence[TokenBatch] = ()
    cases = prepared.plan.cases
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
            yield _scored(prepared, case, facts, groups)
    reporting.progress("modelopt", len(cases), len(cases))


def _scored_by_modelopt(
    prepared: PreparedPass, case: Case, reporting: Reporting, done: int, batches: Sequence[TokenBatch]
) -> tuple[_ModelFacts, list[GroupScore]]:
    """One case's scores. ModelOpt converts a model in place, so every case gets a fresh one."""
    plan = prepared.plan
    loaded = _load(prepared, reporting.progress, done, len(plan.cases))
    batches = batches or tokenize(plan, loaded)
    layout = find_groups(loaded)
    size, resolved = plan.size_of(case), prepared.formats[format_key(case)].resolved
    facts = _facts(loaded, layout, batches)
    return facts, score_with_modelopt(loaded, layout, batches, size, resolved, case.autoquant)


def _facts(loaded: LoadedModel, layout: Layout, batches: Sequence[TokenBatch]) -> _ModelFacts:
    return _ModelFacts(layout, batches, str(loaded.dtype).removeprefix("torch."))


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


def _failed(prepared: PreparedPass, cases: Iterable[Case], reasons: Mapping[str, str]) -> Iterator[FailedCase]:
    for case in cases:
        yield FailedCase(case, {**prepared.refused, **reasons}[format_key(case)])


def _scored(prepared: PreparedPass, case: Case, facts: _ModelFacts, groups: Sequence[GroupScore]) -> ScoredCase:
    size, used = prepared.plan.size_of(case), prepared.formats[format_key(case)]
    scores = _case_scores(prepared, size, used, facts, groups)
    selection = search(groups, used.resolved.effective_bits, case.autoquant)
    return ScoredCase(case, size, used.resolved, scores, selection)


def _case_scores(
    prepared: PreparedPass, size: SizePlan, used: PreparedFormat, facts: _ModelFacts, groups: Sequence[GroupScore]
) -> CaseScores:
    batches = facts.batches
    return CaseScores(
        groups=tuple(groups),
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
            "kernels": dataclasses.asdict(used.kernels),
        },
    )
