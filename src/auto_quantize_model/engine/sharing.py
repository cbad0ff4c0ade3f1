"""Sharing work between processes that see one folder: each unit is done once, by whoever comes first."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from auto_quantize_model.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path


def do_each_once(
    units: Iterable[int],
    is_done: Callable[[int], bool],
    do: Callable[[int], None],
    lock_of: Callable[[int], Path],
) -> None:
    """Do every unit that no process has done; return when all are done, by this process or by others.

    The locks are the operating system's, so that what a killed process had begun is free for the others.
    """
    left = list(units)
    while left:
        for unit in left:
            if not is_done(unit):
                _try(unit, is_done, do, lock_of(unit))
        left = [unit for unit in left if not is_done(unit)]
        if left:
            # All that is left is in other hands: wait for the first of it.
            with _locked(lock_of(left[0]), blocking=True):
                pass


@contextlib.contextmanager
def _locked(file: Path, *, blocking: bool) -> Iterator[None]:
    lock = FileLock(file, blocking=blocking)
    try:
        lock.acquire()
    except Timeout:
        raise
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())
        raise InputError(f"{file}: cannot be locked: {reason}; name a folder on a disk that has locks") from None
    try:
        yield
    finally:
        lock.release()


def _try(unit: int, is_done: Callable[[int], bool], do: Callable[[int], None], lock: Path) -> None:
    try:
        with _locked(lock, blocking=False):
            if not is_done(unit):
                do(unit)
    except Timeout:
        return
