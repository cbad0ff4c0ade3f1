"""Sharing work between processes that see one folder: each unit is done once, by whoever comes first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from auto_quantize_model.engine.machine.lookahead import one_behind
from auto_quantize_model.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    Finish = Callable[[], None]


def do_each_once(
    units: Iterable[int],
    is_done: Callable[[int], bool],
    begin: Callable[[int], Finish],
    lock_of: Callable[[int], Path],
) -> None:
    """Do every unit that no process has done; return when all are done, by this process or by others.

    What `begin` returns finishes the unit, once the next has begun. The locks are the operating system's, so that what
    a killed process had begun is free for the others.
    """
    left = list(units)
    while left:
        _sweep(left, is_done, begin, lock_of)
        left = [unit for unit in left if not is_done(unit)]
        if left:
            # All that is left is in other hands, and none in these: wait for the first of it.
            _lock(lock_of(left[0]), blocking=True).release()


def _sweep(
    units: Iterable[int], is_done: Callable[[int], bool], begin: Callable[[int], Finish], lock_of: Callable[[int], Path]
) -> None:
    """Do what is in nobody's hands; never waits for others, so that two units may be in these."""
    held: list[FileLock] = []

    def begun() -> Iterator[Finish]:
        for unit in units:
            if is_done(unit):
                continue
            try:
                lock = _lock(lock_of(unit), blocking=False)
            except Timeout:
                continue
            held.append(lock)
            if is_done(unit):
                held.pop().release()
            else:
                yield begin(unit)

    def finish(each: Finish) -> None:
        each()
        held.pop(0).release()

    try:
        for _ in one_behind(begun(), finish):
            pass
    finally:
        for lock in held:
            lock.release()


def _lock(file: Path, *, blocking: bool) -> FileLock:
    lock = FileLock(file, blocking=blocking)
    try:
        lock.acquire()
    except Timeout:
        raise
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())
        raise InputError(f"{file}: cannot be locked: {reason}; name a folder on a disk that has locks") from None
    return lock
