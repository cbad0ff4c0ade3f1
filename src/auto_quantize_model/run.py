"""Running cases: one pass a model, one result a case."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auto_quantize_model.availability import why_unavailable
from auto_quantize_model.engine.capture.settings import CaptureSettings
from auto_quantize_model.engine.execution import FailedCase, execute
from auto_quantize_model.engine.machine.environment import describe_environment
from auto_quantize_model.engine.preparation import prepare
from auto_quantize_model.engines import DEFAULT_ENGINE, check_engine
from auto_quantize_model.manifest.build import build_manifest
from auto_quantize_model.plan import plan_passes
from auto_quantize_model.reporting import Reporting, no_notice, silent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from auto_quantize_model.cases.suite import Case
    from auto_quantize_model.engine.execution import ScoredCase
    from auto_quantize_model.engine.preparation import PreparedPass
    from auto_quantize_model.engines import EngineName
    from auto_quantize_model.reporting import Notice, Progress
    from auto_quantize_model.scores import CaseScores


@dataclasses.dataclass(frozen=True, slots=True)
class CaseResult:
    """What became of one case: a manifest, or one line that says what is wrong, or both."""

    case: Case
    manifest: dict[str, Any] | None
    scores: CaseScores | None
    """The engine's answer, with what each caption adds to each group's score."""
    error: str | None = None
    """What is wrong. With a manifest next to it, the scores are there, and only the search has no solution."""
    skipped: bool = False
    """Whether nothing is wrong, and only this machine lacks what the case needs; `error` says what."""


def run_cases(
    cases: Iterable[Case],
    *,
    engine: EngineName = DEFAULT_ENGINE,
    device: str | None = None,
    model_paths: Mapping[str, str | Path] | None = None,
    captures: CaptureSettings | None = None,
    progress: Progress = silent,
    notice: Notice = no_notice,
) -> Iterator[CaseResult]:
    """Run cases, grouped so that each model is loaded and passed over once; yields a result a case.

    Whatever the user must fix is an `InputError` at this call, before any model is loaded, where it can be known
    by then. A pair that cannot run fails only its own cases; a model that this machine lacks is skipped, and its
    cases come first. `device` and `model_paths` win over the cases' settings. `captures` says what becomes of the
    captured tensors, which changes no score; `notice` is told what is worth a line, such as the memory that it takes.
    """
    check_engine(engine)
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
    passes = [prepare(plan, engine, device, paths, settings) for plan in plan_passes(here)]
    return itertools.chain(skipped, _results(passes, Reporting(progress, notice)))


def _results(passes: Sequence[PreparedPass], reporting: Reporting) -> Iterator[CaseResult]:
    for prepared in passes:
        for outcome in execute(prepared, reporting):
            if isinstance(outcome, FailedCase):
                yield CaseResult(outcome.case, None, None, outcome.reason)
            else:
                manifest = _manifest(prepared, outcome)
                yield CaseResult(outcome.case, manifest, outcome.scores, outcome.selection.problem)


def _manifest(prepared: PreparedPass, scored: ScoredCase) -> dict[str, Any]:
    return build_manifest(
        scored.case,
        scored.size,
        scored.resolved,
        scored.scores,
        scored.selection,
        prepared.checkpoint.fingerprint,
        describe_environment(prepared.device),
    )
