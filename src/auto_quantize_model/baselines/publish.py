"""Writing a case's artifacts over its baseline, where that changes anything."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import TYPE_CHECKING, Any, Literal

from auto_quantize_model.artifacts import render_reports
from auto_quantize_model.baselines.folders import put_back, replace_folder
from auto_quantize_model.baselines.store import (
    Baselines,
    ForeignBaselineError,
    baseline_folder,
    baseline_manifest,
    baseline_probe_sums,
    probe_sums_problems,
    read_baseline,
)
from auto_quantize_model.comparison.bands import MACHINE
from auto_quantize_model.comparison.wording import summary
from auto_quantize_model.errors import CaseError, InputError
from auto_quantize_model.manifest.consistency import inconsistencies, nonsense
from auto_quantize_model.manifest.coverage import coverage_line
from auto_quantize_model.manifest.document import UnknownVersionError, dumps
from auto_quantize_model.manifest.measured import NOT_MEASURED
from auto_quantize_model.manifest.older import is_older
from auto_quantize_model.manifest.schema import SCHEMA_VERSION, InvalidManifestError, check_schema
from auto_quantize_model.manifest.structure import manifest_structure
from auto_quantize_model.scores import MEASURED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from auto_quantize_model.cases.suite import Case
    from auto_quantize_model.comparison.compare import Comparison

Action = Literal["created", "updated", "unchanged", "re-rendered"]


@dataclasses.dataclass(frozen=True, slots=True)
class Publication:
    """What publishing did to a case's baseline, and why."""

    case_id: str
    action: Action
    """`re-rendered`: only reports were written, from the manifest that stands."""
    folder: Path
    reason: str


def publish_case(
    case: Case, manifest: Mapping[str, Any], comparison: Comparison | None, probe_sums: bytes | None = None
) -> Publication:
    """Make a manifest the case's baseline, unless the baseline says the same; then only its reports are rendered again.

    `comparison` is that of the baseline with the manifest; None where there is no baseline that can be read.
    `probe_sums` is the file that goes with the manifest; None where the engine had no probes.
    """
    _check_publishable(case, manifest)
    _recover(case)
    try:
        baseline = read_baseline(case)
    except (ForeignBaselineError, UnknownVersionError):
        raise
    except InputError as error:
        return _write(case, manifest, probe_sums, "updated", f"the baseline was unreadable: {error}")
    if baseline is None:
        return _write(case, manifest, probe_sums, "created", "there was no baseline")
    reason = _reason_to_update(baseline, manifest, comparison)
    if reason is None and probe_sums is not None:
        reason = next(probe_sums_problems(case, baseline, Baselines()), None)
    if reason is not None:
        return _write(case, manifest, probe_sums, "updated", reason)
    return _render_again(case, baseline, "the baseline stands" if comparison is None else summary(comparison))


def publish_reports(case: Case) -> Publication:
    """Render a case's reports again from its committed manifest, in place."""
    _recover(case)
    baseline = read_baseline(case)
    if baseline is None:
        raise CaseError(f"{baseline_manifest(case)}: no such file to render reports from; publish the case first")
    if is_older(baseline):
        raise CaseError(f"{baseline_manifest(case)}: an older tool's, as are the reports beside it; publish the case")
    return _render_again(case, baseline, "the reports are those of the manifest")


def _recover(case: Case) -> None:
    """Put a baseline back into its place that an interrupted publish has left elsewhere."""
    try:
        put_back(case.models_root, baseline_folder(case))
    except OSError as error:
        raise InputError(f"{error.filename or baseline_folder(case)}: cannot be moved: {error.strerror}") from None


def _check_publishable(case: Case, manifest: Mapping[str, Any]) -> None:
    try:
        check_schema(manifest, SCHEMA_VERSION)
    except InvalidManifestError as error:
        raise CaseError(f"{case.id}: the manifest is incomplete: {error}") from None
    if manifest["case"]["id"] != case.id:
        raise CaseError(f"{case.id}: the manifest is of case '{manifest['case']['id']}'")
    flaw = next(itertools.chain(_flaws(manifest), nonsense(manifest), inconsistencies(manifest)), None)
    if flaw is not None:
        raise CaseError(f"{case.id}: {flaw}")
    partly = coverage_line(manifest)
    if partly is not None and not case.allow_partial:
        raise CaseError(
            f"{case.id}: {partly}; to publish it so, set `allow_partial: true` and say why in `partial_because` "
            "in suite.yaml"
        )


def _flaws(manifest: Mapping[str, Any]) -> Iterator[str]:
    for name, entry in manifest["layer_sensitivity"].items():
        if entry["status"] == "non_finite":
            yield f"{name} is not finite"
    status = manifest["autoquant_state"]["status"]
    if status == "not_finite":
        yield "the search found scores that are not finite"
    elif not any(entry["status"] in MEASURED for entry in manifest["layer_sensitivity"].values()):
        yield "no group was measured"
    elif status not in ("optimal", "partial"):
        yield f"the search found no selection (its status is '{status}')"
    if not _all_finite(manifest):
        yield "the manifest holds a number that is not finite"


def _all_finite(value: object) -> bool:
    if isinstance(value, dict):
        return all(_all_finite(inner) for inner in value.values())
    if isinstance(value, list):
        return all(_all_finite(inner) for inner in value)
    return not isinstance(value, float) or math.isfinite(value)


def _reason_to_update(
    baseline: Mapping[str, Any], manifest: Mapping[str, Any], comparison: Comparison | None
) -> str | None:
    """Why a baseline must give way; None where it may stand.

    Besides drift that is a changed schema, and a change in what is derived from scores that are the same to a bit.
    """
    old, new = (_without_circumstances(each) for each in (baseline, manifest))
    if manifest["measured"] is None:
        # Not asked for this time, which is no reason to forget it.
        old, new = _without_measured(old), _without_measured(new)
    same_structure = manifest_structure(baseline) == manifest_structure(manifest)
    if old == new and same_structure:
        return None
    if comparison is None or comparison.verdict in ("drift", "incomparable"):
        return "it was not compared with the baseline" if comparison is None else summary(comparison)
    if baseline["schema_version"] != manifest["schema_version"]:
        return f"its schema has version {baseline['schema_version']}, which estimates otherwise"
    if not same_structure:
        return "the structure of the manifest has changed"
    if comparison.verdict == "identical":
        return "the scores are the same, but not what is derived from them"
    newly_measured = manifest["measured"] is not None and baseline.get("measured") is None
    return "it was not measured before" if newly_measured else None


def _without_circumstances(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in manifest.items() if key not in MACHINE}


def _without_measured(manifest: Mapping[str, Any]) -> dict[str, Any]:
    entries = manifest.get("layer_sensitivity", {})
    kept = {key: value for key, value in manifest.items() if key != "measured"}
    return {**kept, "layer_sensitivity": {name: entry | NOT_MEASURED for name, entry in entries.items()}}


def _write(
    case: Case, manifest: Mapping[str, Any], probe_sums: bytes | None, action: Action, reason: str
) -> Publication:
    folder, sums = baseline_folder(case), baseline_probe_sums(case).name
    files = {baseline_manifest(case).name: dumps(manifest), **render_reports(manifest)}
    # Without sums, those of the manifest before would be taken for this one's.
    beside = {} if probe_sums is None else {sums: probe_sums}
    replace_folder(case.models_root, folder, {**files, **beside}, dropped=(sums,))
    return Publication(case.id, action, folder, reason)


def _render_again(case: Case, baseline: Mapping[str, Any], reason: str) -> Publication:
    folder, file = baseline_folder(case), baseline_manifest(case)
    reports = render_reports(baseline)
    stale = [name for name, text in reports.items() if not _holds(folder / name, text)]
    if not stale:
        return Publication(case.id, "unchanged", folder, reason)
    sums = baseline_probe_sums(case)
    beside = {sums.name: _content(sums)} if sums.is_file() else {}
    replace_folder(case.models_root, folder, {file.name: _content(file), **reports, **beside})
    return Publication(case.id, "re-rendered", folder, f"not those of the manifest: {', '.join(stale)}")


def _holds(file: Path, text: str) -> bool:
    try:
        return file.read_bytes() == text.encode()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}; check who may read it") from None


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}; check who may read it") from None
