"""Where a case's baseline lies, and reading it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auto_quantize_model.baselines.folders import put_back
from auto_quantize_model.errors import InputError
from auto_quantize_model.manifest.document import UnknownVersionError, read_manifest

if TYPE_CHECKING:
    from pathlib import Path

    from auto_quantize_model.cases.suite import Case


class ForeignBaselineError(InputError):
    """A case's folder holds the baseline of another case."""


def baseline_folder(case: Case) -> Path:
    """The folder of a case's committed artifacts."""
    return case.models_root / case.run_folder


def baseline_manifest(case: Case) -> Path:
    """The file of a case's committed manifest."""
    return baseline_folder(case) / f"{case.pair.scheme_name}_quant_manifest.json"


def read_baseline(case: Case) -> dict[str, Any] | None:
    """A case's committed manifest; None where nothing is committed for the case."""
    folder, file = baseline_folder(case), baseline_manifest(case)
    try:
        put_back(folder)
        if not folder.exists():
            return None
        if not file.exists():
            raise InputError(f"{file}: missing; restore it, remove the whole folder, or publish the case again")
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror}; check who may read and write there") from None
    try:
        manifest = read_manifest(file)
    except UnknownVersionError:
        raise
    except InputError as error:
        raise InputError(f"{error}; restore it or publish the case again") from None
    found = manifest["case"]["id"] if "schema_version" in manifest else case.id
    if found != case.id:
        raise ForeignBaselineError(f"{file}: is of case '{found}', not of '{case.id}'; move it to its own folder")
    return manifest
