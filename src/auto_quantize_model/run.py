"""Running cases: one pass a model, one result a case."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from auto_quantize_model.availability import why_unavailable
from auto_quantize_model.captures.settings import CaptureSettings
from auto_quantize_model.checkpoints.locate import locate
from auto_quantize_model.checkpoints.opening import open_checkpoint
from auto_quantize_model.engine.batches import tokenize
from auto_quantize_model.engine.environment import describe_environment
from auto_quantize_model.engine.groups import check_covered_by_replay, find_groups
from auto_quantize_model.engine.one_pass import Pass, score
from auto_quantize_model.engine.progress import silent, unnoticed
from auto_quantize_model.engine.reference import score_with_modelopt
from auto_quantize_model.engine.scores import CaseScores
from auto_quantize_model.engine.search import search
from auto_quantize_model.errors import CaseError, InputError, NotCoveredError, nearest
from auto_quantize_model.families import load_model
from auto_quantize_model.manifest.build import build_manifest
from auto_quantize_model.plan import format_key, plan_runs, size_key
from auto_quantize_model.precision.capability import Kernels, check_format, find_device
from auto_quantize_model.precision.formats import resolve_format

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from auto_quantize_model.cases.settings import PairSettings
    from auto_quantize_model.cases.suite import Case
    from auto_quantize_model.checkpoints.checkpoint import Checkpoint
    from auto_quantize_model.engine.batches import TokenBatch
    from auto_quantize_model.engine.groups import Layout
    from auto_quantize_model.engine.one_pass import Scores
    from auto_quantize_model.engine.progress import Notice, Progress
    from auto_quantize_model.engine.scores import GroupScore
    from auto_quantize_model.families.loaded import LoadedModel
    from auto_quantize_model.plan import RunPlan, SizePlan
    from auto_quantize_model.precision.formats import ResolvedFormat
    from auto_quantize_model.precision.quantizers import FormatQuantizers

EngineName = Literal["replay", "modelopt"]
ENGINES: tuple[EngineName, ...] = ("replay", "modelopt")


@dataclasses.dataclass(frozen=True, slots=True)
class CaseResult:
    """What became of one case: a manifest, or one line that says why there is none."""

    case: Case
    manifest: dict[str, Any] | None
    scores: CaseScores | None
    """The engine's answer, with what each caption adds to each group's score."""
    error: str | None = None
    skipped: bool = False
    """Whether nothing is wrong, and only this machine lacks what the case needs; `error` says what."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Format:
    """A pair's format, ready to run on the device."""

    resolved: ResolvedFormat
    quantizers: FormatQuantizers | None
    """None for the engine that lets ModelOpt build them itself."""
    kernels: Kernels


@dataclasses.dataclass(frozen=True, slots=True)
class _Run:
    """One pass, with everything checked that can be checked before the model is loaded."""

    plan: RunPlan
    engine: EngineName
    device: torch.device
    checkpoint: Checkpoint
    formats: Mapping[str, _Format]
    """By the formats' keys in the plan."""
    refused: Mapping[str, str]
    """Formats that cannot run here, with the reason."""
    captures: CaptureSettings


@dataclasses.dataclass(frozen=True, slots=True)
class _Measured:
    """What a result tells of the model and its data beside the scores."""

    layout: Layout
    batches: Sequence[TokenBatch]
    dtype: str


@dataclasses.dataclass(frozen=True, slots=True)
class _Told:
    """Whom a run tells how far it is, and what is worth a line."""

    progress: Progress
    notice: Notice


def run_cases(
    cases: Iterable[Case],
    *,
    engine: EngineName = "replay",
    device: str | None = None,
    model_paths: Mapping[str, str | Path] | None = None,
    captures: CaptureSettings | None = None,
    progress: Progress = silent,
    notice: Notice = unnoticed,
) -> Iterator[CaseResult]:
    """Run cases, grouped so that each model is loaded and passed over once; yields a result a case.

    Whatever the user must mend is an `InputError` at this call, before any model is loaded, where it can be known
    by then. A pair that cannot run fails only its own cases; a model that this machine lacks is skipped, and its
    cases come first. `device` and `model_paths` win over the cases' settings. `captures` says what becomes of the
    captured tensors, which changes no score; `notice` is told what is worth a line, such as the memory that it takes.
    """
    if engine not in ENGINES:
        raise InputError(f"engine '{engine}' is unknown; {nearest(engine, ENGINES)}")
    paths = {name: Path(path) for name, path in (model_paths or {}).items()}
    here: list[Case] = []
    skipped: list[CaseResult] = []
    for case in cases:
        reason = why_unavailable(case, device, paths.get(case.model.name))
        if reason is None:
            here.append(case)
        else:
            skipped.append(CaseResult(case, None, None, reason, skipped=True))
    settings = captures or CaptureSettings()
    runs = [_prepare(plan, engine, device, paths, settings) for plan in plan_runs(here)]
    return itertools.chain(skipped, _execute_all(runs, _Told(progress, notice)))


def _prepare(
    plan: RunPlan, engine: EngineName, device: str | None, paths: Mapping[str, Path], captures: CaptureSettings
) -> _Run:
    first = plan.cases[0]
    found = find_device(device or first.autoquant.device, first.model.devices)
    if found.index is not None:
        # Kernels that ModelOpt compiles run on the current device, wherever their tensors are.
        torch.cuda.set_device(found)
    # Replay has no shortcut for the KL method: each group must really be quantized and run.
    actual: EngineName = engine if first.autoquant.method == "gradient" else "modelopt"
    formats: dict[str, _Format] = {}
    refused: dict[str, str] = {}
    for key, pair in {format_key(case): case.pair for case in plan.cases}.items():
        try:
            formats[key] = _prepare_format(pair, actual, found)
        except CaseError as error:
            refused[key] = str(error)
    located = locate(first, paths.get(first.model.name))
    checkpoint = open_checkpoint(located.path, located.mend)
    return _Run(plan, actual, found, checkpoint, formats, refused, captures)


def _prepare_format(pair: PairSettings, engine: EngineName, device: torch.device) -> _Format:
    try:
        resolved = resolve_format(pair.format)
    except CaseError as error:
        raise CaseError(f"conf/quant_pair/{pair.name}.yaml: {error}") from None
    try:
        quantizers, kernels = check_format(resolved, device)
    except NotCoveredError:
        if engine == "replay":
            raise
        return _Format(resolved, None, Kernels("modelopt", "modelopt"))
    return _Format(resolved, quantizers, kernels)


def _execute_all(runs: Sequence[_Run], told: _Told) -> Iterator[CaseResult]:
    for run in runs:
        execute = _execute_replay if run.engine == "replay" else _execute_modelopt
        yield from execute(run, told)


def _execute_replay(run: _Run, told: _Told) -> Iterator[CaseResult]:
    if not run.formats:
        yield from _failed(run, run.plan.cases, {})
        return
    reasons: dict[str, str] = {}
    try:
        measured, scores = _replayed(run, told)
    except CaseError as error:
        # Told only after this block: the error holds on to the model that it happened with.
        reasons = dict.fromkeys(run.formats, str(error))
    if reasons:
        yield from _failed(run, run.plan.cases, reasons)
        return
    for case in run.plan.cases:
        key = format_key(case)
        if key in run.refused:
            yield CaseResult(case, None, None, run.refused[key])
        else:
            yield _result(run, case, measured, scores[key, size_key(case)])


def _replayed(run: _Run, told: _Told) -> tuple[_Measured, Scores]:
    """Every score of the pass; the model goes with this, though the results may be fetched much later, or never."""
    loaded = _load(run, told.progress)
    layout = find_groups(loaded)
    check_covered_by_replay(loaded, layout)
    batches = tokenize(run.plan, loaded)
    quantizers = {name: each.quantizers for name, each in run.formats.items() if each.quantizers is not None}
    one_pass = Pass(loaded, layout, run.plan, batches, quantizers, run.checkpoint)
    return _measured(loaded, layout, batches), score(one_pass, run.captures, told.progress, told.notice)


def _execute_modelopt(run: _Run, told: _Told) -> Iterator[CaseResult]:
    batches: Sequence[TokenBatch] = ()
    for done, case in enumerate(run.plan.cases):
        told.progress("modelopt", done, len(run.plan.cases))
        key = format_key(case)
        if key in run.refused:
            yield CaseResult(case, None, None, run.refused[key])
            continue
        try:
            measured, groups = _quantized(run, case, told, done, batches)
        except CaseError as error:
            yield CaseResult(case, None, None, str(error))
        else:
            batches = measured.batches
            yield _result(run, case, measured, groups)
    told.progress("modelopt", len(run.plan.cases), len(run.plan.cases))


def _quantized(
    run: _Run, case: Case, told: _Told, done: int, batches: Sequence[TokenBatch]
) -> tuple[_Measured, list[GroupScore]]:
    """One case's scores; ModelOpt converts a model in place, so every case gets a fresh one, and lets it go."""
    loaded = _load(run, told.progress, done, len(run.plan.cases))
    batches = batches or tokenize(run.plan, loaded)
    layout = find_groups(loaded)
    size, resolved = run.plan.size_of(case), run.formats[format_key(case)].resolved
    measured = _measured(loaded, layout, batches)
    return measured, score_with_modelopt(loaded, layout, batches, size, resolved, case.autoquant)


def _measured(loaded: LoadedModel, layout: Layout, batches: Sequence[TokenBatch]) -> _Measured:
    return _Measured(layout, batches, str(loaded.dtype).removeprefix("torch."))


def _load(run: _Run, progress: Progress, done: int = 0, total: int = 1) -> LoadedModel:
    progress("load", done, total)
    try:
        loaded = load_model(run.plan.cases[0].model, run.checkpoint, run.device)
    except torch.OutOfMemoryError:
        raise CaseError(
            f"out of GPU memory while '{run.plan.cases[0].model.name}' was loaded; "
            "free the GPU of other processes, or let more GPUs be seen"
        ) from None
    # Every manifest states it, and it takes as long as reading the file: part of the load, wherever time is told.
    _ = run.checkpoint.fingerprint
    progress("load", done + 1, total)
    return loaded


def _failed(run: _Run, cases: Iterable[Case], reasons: Mapping[str, str]) -> Iterator[CaseResult]:
    for case in cases:
        yield CaseResult(case, None, None, {**run.refused, **reasons}[format_key(case)])


def _result(run: _Run, case: Case, measured: _Measured, groups: Sequence[GroupScore]) -> CaseResult:
    size, used = run.plan.size_of(case), run.formats[format_key(case)]
    scores = _case_scores(run, size, used, measured, groups)
    manifest = build_manifest(
        case,
        size,
        used.resolved,
        scores,
        search(groups, used.resolved.effective_bits, case.autoquant),
        run.checkpoint.fingerprint,
        describe_environment(run.device),
    )
    return CaseResult(case, manifest, scores)


def _case_scores(
    run: _Run,
    size: SizePlan,
    used: _Format,
    measured: _Measured,
    groups: Sequence[GroupScore],
) -> CaseScores:
    batches = measured.batches
    return CaseScores(
        groups=tuple(groups),
        head=measured.layout.head,
        calibrated_tokens=sum(batches[index].tokens for index in size.calibrated),
        scored_samples=size.scored_samples,
        scored_tokens=sum(batches[index].tokens for index in size.scored),
        loss_tokens=sum(batches[index].loss_tokens for index in size.scored),
        sample_tokens=np.concatenate([batches[index].sample_tokens for index in size.scored]),
        engine={
            "name": run.engine,
            "device": run.device.type,
            "dtype": measured.dtype,
            "difference_dtype": "float32" if run.engine == "replay" else measured.dtype,
            "kernels": dataclasses.asdict(used.kernels),
        },
    )
