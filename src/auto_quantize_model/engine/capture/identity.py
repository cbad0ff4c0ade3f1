"""What a capture depends on, and the name that follows from it."""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ABOUT = "about.json"

_PACKAGE = Path(__file__).resolve().parents[2]
_CODE = (
    *(f"engine/capture/{name}.py" for name in ("batches", "units", "probes", "recording", "named", "files")),
    "families/*.py",
)
_DIGITS = 24


def capture_name(facts: Mapping[str, Any]) -> str:
    """The content-addressed name of a model's captures: equal facts, equal captures."""
    return digest(json.dumps(facts, sort_keys=True).encode())


def digest(*parts: bytes) -> str:
    """A short SHA-256 over the parts in turn."""
    sha256 = hashlib.sha256()
    for part in parts:
        sha256.update(part)
    return sha256.hexdigest()[:_DIGITS]


@functools.cache
def code_version() -> str:
    """The version of the code that captures: it changes with the code itself, so nobody can forget to raise it."""
    return digest(*(file.read_bytes() for file in source_files(_PACKAGE, _CODE)))


@functools.cache
def package_version() -> str:
    """The version of all code: what a score comes out as may depend on any of it."""
    return digest(*(file.read_bytes() for file in source_files(_PACKAGE, ("**/*.py",))))


def source_files(package: Path, patterns: Iterable[str]) -> list[Path]:
    """The files that patterns name; one that names none would change the version in silence, so it is an error."""
    files: list[Path] = []
    for pattern in patterns:
        matched = list(package.glob(pattern))
        if not matched:
            raise FileNotFoundError(f"{package / pattern}: no such source file; was it moved?")
        files.extend(matched)
    return sorted(files)
