"""Which files this process opens, by whatever function."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_WATCHERS: list[list[str]] = []


@contextlib.contextmanager
def opened_files() -> Iterator[list[str]]:
    """Collect the paths that are opened meanwhile, each as often as it is opened."""
    _watch()
    opened: list[str] = []
    _WATCHERS.append(opened)
    try:
        yield opened
    finally:
        _WATCHERS[:] = [watcher for watcher in _WATCHERS if watcher is not opened]


@functools.cache
def _watch() -> None:
    """An audit hook cannot be removed again."""
    sys.addaudithook(_on_event)


def _on_event(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and _WATCHERS and isinstance(arguments[0], str | bytes | os.PathLike):
        for opened in _WATCHERS:
            opened.append(os.fsdecode(arguments[0]))
