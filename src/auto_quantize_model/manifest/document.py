"""Reading, checking and writing manifests as files."""

from __future__ import annotations

import functools
import itertools
import json
import math
import operator
from collections.abc import Mapping
from importlib import resources
from typing import TYPE_CHECKING, Any

from auto_quantize_model.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from jsonschema_rs import Draft202012Validator, ValidationError

SCHEMA_VERSION = 2
_SCHEMAS = {1: "schema_1.json", SCHEMA_VERSION: "schema.json"}
"""Every version that can be read. In the first, `predicted_kl` is another estimate, and there is no total of it."""
RECIPE_SUFFIX = ".quant_recipe"
"""What ModelOpt appends to a group's name."""
_MOST_ERRORS = 2
"""Enough to show a key that was renamed: the one is missing, the other is unexpected."""


class InvalidManifestError(ValueError):
    """A manifest does not keep the contract; it must not be written."""


class UnknownVersionError(InputError):
    """A manifest is of a schema that this version of the package does not know; it must not be written over."""


def dumps(value: Mapping[str, Any]) -> str:
    """Write JSON the one way in which artifacts are written, so that equal values are equal bytes."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def check_manifest(manifest: Mapping[str, Any]) -> None:
    """Validate a manifest against the JSON Schema."""
    _check(manifest, "schema.json")


def read_manifest(path: Path, *, complete: bool = True) -> dict[str, Any]:
    """Read a manifest of any age; of older ones only the groups must be there, of any where it may be incomplete."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give the path of a *_quant_manifest.json") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    return parse_manifest(text, str(path), complete=complete)


def parse_manifest(text: bytes, path: str, *, complete: bool = True) -> dict[str, Any]:
    """Read a manifest of any age from its bytes; `path` says in errors where they came from."""
    try:
        value = json.loads(
            text.decode("utf-8"), parse_constant=_refuse_constant, parse_int=_integer, parse_float=_finite
        )
    except (ValueError, RecursionError) as error:  # also UTF-8 that is none, and numbers too long to read
        raise InputError(f"{path}: not valid JSON: {error}") from None
    if isinstance(value, dict) and isinstance(value.get("layer_sensitivity"), list):
        raise InputError(f"{path}: not a manifest but a report of one; give the *_quant_manifest.json beside it")
    newer = isinstance(value, dict) and "schema_version" in value
    schema = _schema_of(value["schema_version"], path) if newer else None
    try:
        _check(value, schema if schema is not None and complete else "schema_older.json")
    except InvalidManifestError as error:
        raise InputError(f"{path}: not a manifest: {error}") from None
    result: dict[str, Any] = value
    return result


def mapping(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """What is under a key, if that is a mapping; else an empty one."""
    inner = value.get(key)
    return inner if isinstance(inner, Mapping) else {}


def _schema_of(version: object, path: str) -> str:
    known = _SCHEMAS.get(version) if isinstance(version, int) and not isinstance(version, bool) else None
    if known is None:
        raise UnknownVersionError(
            f"{path}: schema_version is {version!r}; this version of the package reads "
            f"{' and '.join(map(str, _SCHEMAS))}; install the one that wrote it"
        )
    return known


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _integer(text: str) -> int:
    _finite(text)
    return int(text)


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:20]}... is too large a number")
    return value


def _check(manifest: Any, name: str) -> None:
    try:
        errors = list(itertools.islice(_validator(name).iter_errors(manifest), _MOST_ERRORS))
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
def _validator(name: str) -> Draft202012Validator:
    from jsonschema_rs import Draft202012Validator

    return Draft202012Validator(_schema(name))


def _schema(name: str) -> dict[str, Any]:
    text = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    value: dict[str, Any] = json.loads(text)
    return value
