"""Explaining a drift: find what differs, set it back by rerunning, and say what share each difference has."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from auto_quantize_model.comparison.compare import compare
from auto_quantize_model.errors import InputError
from auto_quantize_model.explain.causes import Cause, UntestedCause, find_differences
from auto_quantize_model.explain.remaining import likelihood, remaining_differences
from auto_quantize_model.explain.reruns import NOTHING, Reruns, manifest_of
from auto_quantize_model.explain.shares import split_drift
from auto_quantize_model.manifest.older import canonical_layer
from auto_quantize_model.manifest.schema import RECIPE_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from auto_quantize_model.cases.settings import Tolerances
    from auto_quantize_model.explain.causes import Differences
    from auto_quantize_model.explain.older_captions import CaptionSources
    from auto_quantize_model.explain.reruns import Combination
    from auto_quantize_model.explain.setups import Setup
    from auto_quantize_model.explain.shares import Shares
    from auto_quantize_model.reporting import Progress
    from auto_quantize_model.run import CaseResult

Outcome = Literal["no drift", "explained", "not explained"]

MOST_MISSED = 0.05
"""How far setting everything back may stay from the older scores, as a fraction of the drift, to explain it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Explanation:
    """A drift, its tested causes with their shares, and what could not be tested."""

    case_id: str
    outcome: Outcome
    causes: tuple[Cause, ...]
    """What was tested, in the order of `shares.parts`."""
    shares: Shares
    untested: tuple[UntestedCause, ...]
    """Most likely first."""
    unstated: tuple[str, ...]
    left_out: tuple[str, ...]
    """Groups that not every run has a score of."""


def explain_drift(
    now: Setup,
    baseline: Mapping[str, Any],
    tolerances: Tolerances,
    *,
    sources: CaptionSources,
    model_paths: Mapping[str, Path],
    progress: Progress,
) -> Explanation:
    """Rerun a case as it is now and with every difference from its baseline set back, and split the drift."""
    with _scratch_folder() as scratch:
        differences = find_differences(now, baseline, sources, scratch)
        causes, untested, results = _run(differences, Reruns(differences.now, model_paths, progress))
    manifests = {combination: manifest_of(result) for combination, result in results.items()}
    runs = {combination: measured_scores(manifest) for combination, manifest in manifests.items()}
    old = _named_alike(measured_scores(baseline), runs[NOTHING])
    shares = split_drift([cause.name for cause in causes], old, runs)
    if not shares.groups:
        raise InputError(f"the baseline and {now.case.id} have no scored group in common; is it of the same model?")
    everything = frozenset(cause.name for cause in causes)
    left = remaining_differences(baseline, manifests[everything], {cause.name for cause in untested})
    return Explanation(
        case_id=now.case.id,
        outcome=_outcome(baseline, manifests[NOTHING], tolerances, shares),
        causes=causes,
        shares=shares,
        untested=tuple(sorted((*untested, *left), key=likelihood)),
        unstated=differences.unstated,
        left_out=tuple(sorted({*old, *runs[NOTHING]} - set(shares.groups))),
    )


def measured_scores(manifest: Mapping[str, Any]) -> dict[str, float]:
    """The score of every group that has one."""
    return {
        name.removesuffix(RECIPE_SUFFIX): float(entry["importance"])
        for name, entry in manifest["layer_sensitivity"].items()
        if entry.get("importance") is not None
    }


def _named_alike(scores: Mapping[str, float], names: Mapping[str, float]) -> dict[str, float]:
    """Scores under the names that a run gives the same groups: an older tool wrote shorter paths."""
    by_path = {canonical_layer(name): name for name in names}
    return {
        name if name in names else by_path.get(canonical_layer(name), name): score for name, score in scores.items()
    }


@contextlib.contextmanager
def _scratch_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="auto-quantize-model-") as folder:
        yield Path(folder)


def _run(
    differences: Differences, reruns: Reruns
) -> tuple[tuple[Cause, ...], tuple[UntestedCause, ...], dict[Combination, CaseResult]]:
    """Run every combination; a cause whose older value cannot run here is not tested, and the others still are."""
    causes, untested = differences.causes, differences.untested
    while True:
        results = reruns.run(causes)
        manifest_of(results[NOTHING])
        alone = {cause: results[frozenset({cause.name})] for cause in causes}
        failed = {cause: str(result.error) for cause, result in alone.items() if result.manifest is None}
        if not failed:
            return causes, untested, results
        untested += tuple(UntestedCause(cause.name, cause.old, cause.new, error) for cause, error in failed.items())
        causes = tuple(cause for cause in causes if cause not in failed)


def _outcome(
    baseline: Mapping[str, Any], manifest: Mapping[str, Any], tolerances: Tolerances, shares: Shares
) -> Outcome:
    compared = compare(baseline, manifest, tolerances).groups
    if all(change.within for change in compared if change.measure == "importance"):
        return "no drift"
    return "explained" if shares.missed <= MOST_MISSED else "not explained"
