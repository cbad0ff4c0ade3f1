"""Running cases: one pass a model, one result a case."""

from __future__ import annotations

import dataclasses
import itertools
import reprlib
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auto_quantize_model.availability import why_unavailable
from auto_quantize_model.cases.suite import Case
from auto_quantize_model.cluster_address import check_with_cluster, parse_gpus
from auto_quantize_model.device_names import checked_device
from auto_quantize_model.engine.capture.settings import CaptureSettings
from auto_quantize_model.engine.execution import FailedCase, execute
from auto_quantize_model.engine.preparation import prepare
from auto_quantize_model.engines import DEFAULT_ENGINE, check_engine
from auto_quantize_model.manifest.build import Weights, build_manifest
from auto_quantize_model.measuring import checked_measure, parse_scope
from auto_quantize_model.plan import plan_passes
from auto_quantize_model.reporting import Reporting, no_notice, silent
from auto_quantize_model.reports.totals import total_predicted_kl
from auto_quantize_model.scores import short_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auto_quantize_model.engine.cluster.execution import Asked
    from auto_quantize_model.engine.execution import Outcome, ScoredCase
    from auto_quantize_model.engine.preparation import PreparedPass
    from auto_quantize_model.engines import EngineName
    from auto_quantize_model.reporting import Notice, Progress
    from auto_quantize_model.scores import CaseScores


_LONGEST_REASON = 100


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
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

    def __repr__(self) -> str:
        if self.manifest is None:
            reason = textwrap.shorten(str(self.error), _LONGEST_REASON, placeholder="...")
            return f"<CaseResult {self.case.id}: {'skipped' if self.skipped else 'failed'}: {reason}>"
        score, kl = self.manifest["autoquant_state"]["score"], total_predicted_kl(self.manifest)
        return f"<CaseResult {self.case.id}: score {short_number(score)}, predicted KL {short_number(kl)}>"


def run_cases(
    cases: Iterable[Case],
    *,
    engine: EngineName = DEFAULT_ENGINE,
    device: str | None = None,
    model_paths: Mapping[str, str | Path] | None = None,
    captures: CaptureSettings | None = None,
    measure: str = "none",
    measure_on: str | Path | None = None,
    cluster: str | None = None,
    cluster_gpus: int = 1,
    progress: Progress = silent,
    notice: Notice = no_notice,
) -> Iterator[CaseResult]:
    """Run cases, grouped so that each model is loaded and passed over once; yields a result a case.

    Whatever the user must fix is an `InputError` at this call, before any model is loaded, where it can be known
    by then. A pair that cannot run fails only its own cases; a model that this machine lacks is skipped, and its
    cases come first. `device` and `model_paths` win over the cases' settings. `captures` says what becomes of the
    captured tensors, which changes no score. `measure` says what is really quantized to measure its KL divergence:
    `none`, `cases` (each case as a whole), `top:N` (its N most sensitive groups as well, each alone) or `all`; on the
    captions that are scored, or on those of the file `measure_on`. `cluster` is the Ray cluster on whose hosts the
    passes run: `auto` for the one of this host, or HOST:PORT; each of its workers takes `cluster_gpus` GPUs where there
    are some. It changes no score. `notice` is told what is worth a line, such as the memory that it takes.
    """
    check_engine(engine)
    if device is not None:
        checked_device(device)
    measured = checked_measure(parse_scope(measure), None if measure_on is None else Path(measure_on), engine)
    wanted = _checked_cases(cases)
    paths = _checked_paths({} if model_paths is None else model_paths)
    here: list[Case] = []
    skipped: list[CaseResult] = []
    for case in wanted:
        reason = why_unavailable(case, device, paths.get(case.model.name), here=cluster is None)
        if reason is None:
            here.append(case)
        else:
            skipped.append(CaseResult(case, None, None, reason, skipped=True))
    settings = captures or CaptureSettings()
    if cluster is not None:
        from auto_quantize_model.engine.cluster import execution as on_cluster

        keeps, limits = settings.keep, settings.memory is not None
        check_with_cluster(engine=engine, measures=bool(measured.scope), keeps=keeps, limits_memory=limits)
        asked = on_cluster.Asked(device, paths, parse_gpus(str(cluster_gpus)), settings)
        results = _on_cluster(here, cluster, asked, Reporting(progress, notice)) if here else ()
        return itertools.chain(skipped, results)
    passes = [prepare(plan, engine, device, paths, settings, measured) for plan in plan_passes(here)]
    return itertools.chain(skipped, _results(passes, Reporting(progress, notice)))


def _checked_cases(cases: object) -> list[Case]:
    if isinstance(cases, Case):
        raise TypeError("run_cases takes several cases; put the one into a list: [case]")
    several = cases if isinstance(cases, Iterable) and not isinstance(cases, str) else [cases]
    return [_checked_case(case) for case in several]


def _checked_case(case: object) -> Case:
    if not isinstance(case, Case):
        way_out = "take them from a suite: load_suite(FILE).select(EXPRESSION)"
        raise TypeError(f"run_cases takes cases, not the {type(case).__name__} {reprlib.repr(case)}; {way_out}")
    return case


def _checked_paths(model_paths: object) -> dict[str, Path]:
    if not isinstance(model_paths, Mapping):
        example = "{'my_model': 'DIR'}"
        raise TypeError(
            f"model_paths maps the names of models to places, as {example}, not {reprlib.repr(model_paths)}"
        )
    return {name: Path(path) for name, path in model_paths.items()}


def _results(passes: Sequence[PreparedPass], reporting: Reporting) -> Iterator[CaseResult]:
    for prepared in passes:
        yield from _results_of(prepared, execute(prepared, reporting))


def _results_of(prepared: PreparedPass, outcomes: Iterable[Outcome]) -> Iterator[CaseResult]:
    for outcome in outcomes:
        if isinstance(outcome, FailedCase):
            yield CaseResult(outcome.case, None, None, outcome.reason)
        else:
            manifest = _manifest(prepared, outcome)
            yield CaseResult(outcome.case, manifest, outcome.scores, outcome.selection.problem)


def _on_cluster(cases: Sequence[Case], address: str, asked: Asked, reporting: Reporting) -> Iterator[CaseResult]:
    from auto_quantize_model.engine.cluster.execution import execute_on_cluster, order
    from auto_quantize_model.engine.cluster.ray_cluster import connect

    cluster = connect(address)
    try:
        passes = [order(plan, asked, cluster) for plan in plan_passes(cases)]
    except BaseException:
        cluster.close()
        raise

    def results() -> Iterator[CaseResult]:
        try:
            for ordered in passes:
                yield from _results_of(ordered.prepared, execute_on_cluster(ordered, cluster, reporting))
        finally:
            cluster.close()

    return results()


def _manifest(prepared: PreparedPass, scored: ScoredCase) -> dict[str, Any]:
    return build_manifest(
        scored.case,
        scored.size,
        scored.resolved,
        scored.scores,
        scored.selection,
        Weights(prepared.checkpoint.fingerprint, prepared.checkpoint.parameters),
        scored.environment,
    )
