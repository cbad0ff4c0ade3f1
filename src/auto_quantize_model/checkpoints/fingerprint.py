"""Remembering a checkpoint's fingerprint, so that all its bytes are read only once."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import time
from typing import TYPE_CHECKING

from auto_quantize_model.cache import cache_root
from auto_quantize_model.whole_files import replace_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_SETTLED_NS = 2_000_000_000
"""A younger file may be written again without a change of its time or size."""
_VERSION = 1
"""Raised when fingerprints are computed differently, which makes every entry worthless."""

_State = list[list[str | int]]


def remembered(files: Sequence[Path], compute: Callable[[], str]) -> str:
    """The fingerprint of some files: the remembered one, or a computed one, which is then remembered if possible.

    The cache is only a shortcut: where it is damaged or cannot be written, the fingerprint is computed.
    """
    before, now = _state(files), time.time_ns()
    entry = cache_root() / "fingerprints" / f"{_name(before)}.json"
    known = _read(entry, before)
    if known is not None:
        return known
    fingerprint = compute()
    settled = all(now - file.stat().st_mtime_ns > _SETTLED_NS for file in files)
    if settled and _state(files) == before:
        # A cache that cannot be written costs time, and nothing else.
        with contextlib.suppress(OSError):
            _write(entry, before, fingerprint)
    return fingerprint


def _state(files: Sequence[Path]) -> _State:
    """What changes when a file does."""
    resolved = sorted({file.resolve() for file in files})
    return [[str(file), file.stat().st_size, file.stat().st_mtime_ns] for file in resolved]


def _name(state: _State) -> str:
    """The same for the same places, so that a changed checkpoint takes the place of its older self."""
    return hashlib.sha256("\0".join(str(file) for file, *_ in state).encode()).hexdigest()[:32]


def _read(entry: Path, state: _State) -> str | None:
    try:
        value = json.loads(entry.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or value.get("version") != _VERSION or value.get("files") != state:
        return None
    fingerprint = value.get("fingerprint")
    return fingerprint if isinstance(fingerprint, str) and re.fullmatch("[0-9a-f]{64}", fingerprint) else None


def _write(entry: Path, state: _State, fingerprint: str) -> None:
    entry.parent.mkdir(parents=True, exist_ok=True)
    replace_text(entry, json.dumps({"version": _VERSION, "files": state, "fingerprint": fingerprint}))
