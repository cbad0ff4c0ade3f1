"""The JSON Schemas of manifests, one a version, and checking a manifest against its own."""

from __future__ import annotations

import functools
import itertools
import json
import math
import operator
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator, ValidationError

SCHEMA_VERSION = 3
VERSIONS = (1, 2, SCHEMA_VERSION)
"""Every version that can be read. In each, `predicted_kl` is another estimate; in the first there is no total of it."""
RECIPE_SUFFIX = ".quant_recipe"
"""What ModelOpt appends to a group's name."""
_FILES = {1: "schema_1.json", 2: "schema.json", SCHEMA_VERSION: "schema.json", None: "schema_older.json"}
_MOST_ERRORS = 2
"""Enough to show a key that was renamed: the one is missing, the other is unexpected."""


class InvalidManifestError(ValueError):
    """A manifest does not keep the contract; it must not be written."""


def check_schema(manifest: Any, version: int | None) -> None:
    """Validate a manifest against the schema of a version; None: that of manifests from before versions."""
    try:
        errors = list(itertools.islice(_validator(version).iter_errors(manifest), _MOST_ERRORS))
    except ValueError as error:  # what JSON does not have: a key that is no text, half a character
        raise InvalidManifestError(str(error)) from None
    if errors:
        raise InvalidManifestError("; ".join(_explain(error, manifest) for error in errors))


def _explain(error: ValidationError, manifest: Any) -> str:
    place = ".".join(str(part) for part in error.instance_path) or "the whole"
    value = functools.reduce(operator.getitem, error.instance_path, manifest)
    if isinstance(value, float) and not math.isfinite(value):  # null to the validator, as to JSON
        return f"{place}: {value} is a number that is not finite"
    return f"{place}: {error.message.splitlines()[0][:300]}"


@functools.cache
def _validator(version: int | None) -> Draft202012Validator:
    from jsonschema_rs import Draft202012Validator

    return Draft202012Validator(_schema(version))


def _schema(version: int | None) -> dict[str, Any]:
    text = resources.files(__package__).joinpath(_FILES[version]).read_text(encoding="utf-8")
    value: dict[str, Any] = json.loads(text)
    if version is not None:
        # Versions with the same keys share a file.
        value["properties"]["schema_version"]["const"] = version
    return value
