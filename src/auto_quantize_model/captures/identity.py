"""What a capture depends on, and the name that follows from it."""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

ABOUT = "about.json"

_PACKAGE = Path(__file__).resolve().parents[1]
_CODE = ("engine/batches.py", "engine/capture.py", "engine/capture_files.py", "families/*.py")
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
    files = sorted(file for pattern in _CODE for file in _PACKAGE.glob(pattern))
    return digest(*(file.read_bytes() for file in files))
