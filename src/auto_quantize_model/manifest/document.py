"""Reading, checking and writing manifests as files."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from auto_quantize_model.errors import InputError
from auto_quantize_model.manifest.consistency import inconsistencies, nonsense
from auto_quantize_model.manifest.schema import SCHEMA_VERSION, VERSIONS, InvalidManifestError, check_schema

if TYPE_CHECKING:
    from pathlib import Path


class UnknownVersionError(InputError):
    """A manifest is of a schema that this version of the package does not know; it must not be written over."""


def dumps(value: Mapping[str, Any]) -> str:
    """Write JSON the one way in which artifacts are written, so that equal values are equal bytes."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def check_manifest(manifest: Mapping[str, Any]) -> None:
    """Make sure that a manifest keeps the JSON Schema, and that its numbers can be true and agree with each other."""
    check_schema(manifest, SCHEMA_VERSION)
    problem = next(itertools.chain(nonsense(manifest), inconsistencies(manifest)), None)
    if problem is not None:
        raise InvalidManifestError(problem)


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
            text.decode("utf-8"),
            parse_constant=_refuse_constant,
            parse_int=_integer,
            parse_float=_finite,
            object_pairs_hook=_object,
        )
    except (ValueError, RecursionError) as error:  # also UTF-8 that is none, and numbers too long to read
        raise InputError(f"{path}: not valid JSON: {error}") from None
    if isinstance(value, dict) and isinstance(value.get("layer_sensitivity"), list):
        raise InputError(f"{path}: not a manifest but a report of one; give the *_quant_manifest.json beside it")
    version = _version_of(value, path)
    try:
        check_schema(value, version if complete else None)
    except InvalidManifestError as error:
        raise InputError(f"{path}: not a manifest: {error}") from None
    problem = next(nonsense(value), None) if version is not None and complete else None
    if problem is not None:
        raise InputError(f"{path}: no run can have written this: {problem}; restore the file from where it was made")
    result: dict[str, Any] = value
    return result


def mapping(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """What is under a key, if that is a mapping; else an empty one."""
    inner = value.get(key)
    return inner if isinstance(inner, Mapping) else {}


def _version_of(value: object, path: str) -> int | None:
    """Which schema a document is of; None for those from before versions."""
    if not isinstance(value, dict) or "schema_version" not in value:
        return None
    version = value["schema_version"]
    if isinstance(version, bool) or version not in VERSIONS:
        raise UnknownVersionError(
            f"{path}: schema_version is {version!r}; this version of the package reads "
            f"{', '.join(map(str, VERSIONS))}; install the one that wrote it"
        )
    return int(version)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON lets a repeated key win silently, and a name hold what moves a terminal's cursor; a manifest must not."""
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key '{next(key for key in keys if keys.count(key) > 1)}' is given twice")
    for key, inner in pairs:
        if not (key.isprintable() and _is_printable(inner)):
            raise ValueError(f"a character that cannot be printed, in or under the key '{key}'")
    return value


def _is_printable(value: object) -> bool:
    if isinstance(value, str):
        return value.isprintable()
    return not isinstance(value, list) or all(map(_is_printable, value))


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
