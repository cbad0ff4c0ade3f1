"""Explaining a drift: find what differs, set it back by rerunning, and say what share each difference has."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from auto_quantize_model.comparison.compare import compare
from auto_quantize_model.errors import InputError
from auto_quantize_model.explain.factors import Factor, Untested, find_differences
from auto_quantize_model.explain.remaining import likelihood, remaining_differences
from auto_quantize_model.explain.reruns import NOTHING, Reruns, manifest_of
from auto_quantize_model.explain.shares import split_drift
from auto_quantize_model.manifest.document import RECIPE_SUFFIX
from auto_quantize_model.manifest.older import canonical_layer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from auto_quantize_model.cases.settings import Tolerances
    from auto_quantize_model.explain.factors import Differences, Texts
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
    factors: tuple[Factor, ...]
    """What was tested, in the order of `shares.parts`."""
    shares: Shares
    untested: tuple[Untested, ...]
    """Most likely first."""
    unstated: tuple[str, ...]
    left_out: tuple[str, ...]
    """Groups that not every run has a score of."""


def explain_drift(
    now: Setup,
    baseline: Mapping[str, Any],
    tolerances: Tolerances,
    *,
    texts: Texts,
    model_paths: Mapping[str, Path],
    progress: Progress,
) -> Explanation:
    """Rerun a case as it is now and with every difference from its baseline set back, and split the drift."""
    with _scratch_folder() as scratch:
        found = find_differences(now, baseline, texts, scratch)
        factors, untested, results = _run(found, Reruns(found.now, model_paths, progress))
    manifests = {each: manifest_of(result) for each, result in results.items()}
    runs = {each: measured_scores(manifest) for each, manifest in manifests.items()}
    old = _named_alike(measured_scores(baseline), runs[NOTHING])
    shares = split_drift([factor.name for factor in factors], old, runs)
    if not shares.groups:
        raise InputError(f"the baseline and {now.case.id} have no scored group in common; is it of the same model?")
    everything = frozenset(factor.name for factor in factors)
    left = remaining_differences(baseline, manifests[everything], {each.name for each in untested})
    return Explanation(
        case_id=now.case.id,
        outcome=_outcome(baseline, manifests[NOTHING], tolerances, shares),
        factors=factors,
        shares=shares,
        untested=tuple(sorted((*untested, *left), key=likelihood)),
        unstated=found.unstated,
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
    found: Differences, reruns: Reruns
) -> tuple[tuple[Factor, ...], tuple[Untested, ...], dict[Combination, CaseResult]]:
    """Run every combination; a factor whose older value cannot run here is not tested, and the others go on."""
    factors, untested = found.factors, found.untested
    while True:
        results = reruns.run(factors)
        manifest_of(results[NOTHING])
        failed = {each.name: results[frozenset({each.name})].error for each in factors}
        failed = {name: error for name, error in failed.items() if error is not None}
        if not failed:
            return factors, untested, results
        refused = (each for each in factors if each.name in failed)
        untested += tuple(Untested(each.name, each.old, each.new, str(failed[each.name])) for each in refused)
        factors = tuple(each for each in factors if each.name not in failed)


def _outcome(
    baseline: Mapping[str, Any], manifest: Mapping[str, Any], tolerances: Tolerances, shares: Shares
) -> Outcome:
    compared = compare(baseline, manifest, tolerances).groups
    if all(change.within for change in compared if change.measure == "importance"):
        return "no drift"
    return "explained" if shares.missed <= MOST_MISSED else "not explained"
