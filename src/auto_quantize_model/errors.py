"""Errors that a user can fix: each is one line that names the thing and the fix."""

from __future__ import annotations

import difflib
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from auto_quantize_model.flags import both_flags
from auto_quantize_model.quoting import visible

if TYPE_CHECKING:
    from collections.abc import Iterable


class InputError(ValueError):
    """Something the user gave is wrong: a file, a name, a device. The message is one line."""

    def __init__(self, message: object) -> None:
        """Whatever names are in it, it stays one line."""
        super().__init__(visible(str(message)))


class CaseError(RuntimeError):
    """One case cannot be run, while others can. The message is one line."""

    def __init__(self, message: object) -> None:
        """Whatever names are in it, it stays one line."""
        super().__init__(visible(str(message)))


class UnavailableError(CaseError):
    """A case needs something that is not on this machine: a GPU, a checkpoint. Nothing is wrong with the case."""


class NotCoveredError(CaseError):
    """Replay has no arithmetic for something, while ModelOpt's own loop does."""

    def __init__(self, what: str) -> None:
        """Say what it is; the fix is always the same."""
        fix = f'use {both_flags("engine", "modelopt")}, or engine="modelopt" in Python'
        super().__init__(f"{what}, which replay does not cover; {fix}")


_LISTED = 40
"""How many valid names a line can hold."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return a clause that offers the valid name closest to a wrong one, or lists them all where they are few."""
    choices = sorted(valid)
    close = difflib.get_close_matches(name, choices, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    if len(choices) > _LISTED:
        return f"none of the {len(choices)} valid names is close"
    return f"valid: {', '.join(choices)}" if choices else "there is none"


def describe_bug(error: Exception, way: str) -> str:
    """What to say of an error that nobody foresaw, with the place where it was raised and the way to report it."""
    said = f"{type(error).__name__}: {one_line(error)[:300]}"
    if _is_of_memory(error):
        return visible(f"out of memory ({said}); allow this process more (ulimit -v, a container's limit)")
    place = traceback.extract_tb(error.__traceback__)[-1]
    return visible(f"a bug of this program's, not yours: {said} ({Path(place.filename).name}:{place.lineno}); {way}")


_OF_MEMORY = ("failed to map segment", "cannot allocate memory", "can't allocate memory")
"""What the loader of libraries, the system and torch say, in errors of any type."""


def _is_of_memory(error: BaseException) -> bool:
    said = str(error).lower()
    if isinstance(error, MemoryError) or any(each in said for each in _OF_MEMORY):
        return True
    # What compiled code makes of a MemoryError that it lost.
    return isinstance(error, SystemError) and "without exception set" in said and _is_limited()


def _is_limited() -> bool:
    """Whether this process may not have all the memory that there is; not known where there is no such limit."""
    try:
        import resource
    except ImportError:
        return False
    return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY


def one_line(error: BaseException, most: int | None = None) -> str:
    """What an error of another library says, on one line of at most so many characters."""
    return " ".join(str(error).split())[:most] or type(error).__name__
