"""The captures on this machine, kept or left behind: which there are, how large they are, and removing them."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import json
import shutil
import stat
import uuid
from typing import TYPE_CHECKING, Any, Literal

from filelock import FileLock, Timeout

from auto_quantize_model.engine.capture.identity import ABOUT, code_version, package_version
from auto_quantize_model.errors import InputError
from auto_quantize_model.whole_files import PART

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


_STATED = {"model", "checkpoint_sha256", "family", "dtype", "groups", "computation", "environment", "code"}
"""What every capture states of itself: a folder whose `about.json` lacks it is somebody else's."""
_SUFFIXES = {".safetensors", ".lock", PART}
_SECONDS_A_DAY = 86400
UNKEPT = "unkept-"
"""What the folder of a run that keeps nothing begins with; it outlives its run only where that was killed."""
INTERRUPTED = "interrupted-"
"""What the folder begins with that a run works in, and that the next one goes on from if it is interrupted."""
PACKAGE = "package"
"""The code that made such a folder, among what it says of itself."""
_OWNER, _OWNERS = "owner.lock", "owner*.lock"
"""What the run that works in a folder holds a lock on, for as long as it lives."""
State = Literal["usable", "interrupted", "in use", "stale"]


@dataclasses.dataclass(frozen=True, slots=True)
class KeptCapture:
    """One model's captured batches under one set of facts."""

    folder: Path
    model: str
    dtype: str
    hardware: str
    batches: int
    bytes: int
    used: dt.datetime
    """When a run last opened it."""
    state: State
    """`stale` is what no run can use: another version made it, or a run that was killed left it behind."""

    @property
    def stale(self) -> bool:
        """Whether no run can use it."""
        return self.state == "stale"


@contextlib.contextmanager
def unkept_folder(root: Path) -> Iterator[Path]:
    """A folder for the captures of a run that keeps none; those of runs that were killed are cleared away first."""
    root.mkdir(parents=True, exist_ok=True)
    for folder in root.glob(f"{UNKEPT}*"):
        # One that says nothing of itself yet may be of a run that is about to lock it.
        if (folder / ABOUT).exists() and not is_used(folder):
            shutil.rmtree(folder, ignore_errors=True)
    # Named before it is there: an interrupt between the two would leave it behind.
    folder = root / f"{UNKEPT}{uuid.uuid4().hex}"
    try:
        folder.mkdir(mode=0o700)
        with FileLock(folder / _OWNER):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def kept_captures(root: Path) -> list[KeptCapture]:
    """The captures in a folder, the one last used first; any other folder there is left alone."""
    if not root.exists():
        return []
    if not root.is_dir():
        raise InputError(f"{root}: is no folder, so no captures are in it; name their folder")
    captures = (_read(folder, about) for folder in root.iterdir() if (about := _about(folder)) is not None)
    return sorted(captures, key=lambda each: each.used, reverse=True)


def to_prune(
    captures: Iterable[KeptCapture], *, unused_days: float | None, keep_bytes: int | None
) -> Iterator[KeptCapture]:
    """What to remove: the stale, what was not used for so long, and of the rest the least used beyond so much."""
    now, kept = dt.datetime.now(tz=dt.UTC), 0
    for each in captures:
        if each.state == "in use":
            continue
        old = unused_days is not None and (now - each.used).total_seconds() > unused_days * _SECONDS_A_DAY
        if each.stale or old or (keep_bytes is not None and kept + each.bytes > keep_bytes):
            yield each
        else:
            kept += each.bytes


def remove(capture: KeptCapture) -> None:
    """Delete a capture; a run that uses it just now captures again what it misses. No file of another kind goes."""
    foreign = next((file for file in sorted(capture.folder.iterdir()) if not _is_of_a_capture(file)), None)
    if foreign is not None:
        raise InputError(f"{foreign}: is no file of a capture, so its folder stays; move it away")
    try:
        shutil.rmtree(capture.folder)
    except OSError as error:
        raise InputError(f"{error.filename or capture.folder}: cannot be removed: {error.strerror}") from None


def is_used(folder: Path) -> bool:
    """Whether a run that lives works in a folder of its own."""
    return not all(map(_is_free, owners(folder)))


def owners(folder: Path) -> list[Path]:
    """The locks of all that worked in a folder, and were killed or still do."""
    return list(folder.glob(_OWNERS))


def _is_free(lock: Path) -> bool:
    try:
        with FileLock(lock, blocking=False):
            return True
    except (Timeout, OSError):
        return False


def _is_of_a_capture(file: Path) -> bool:
    ours = file.name == ABOUT or file.suffix in _SUFFIXES
    scores = file.suffix == ".json" and file.parent.name.startswith(INTERRUPTED)
    return (ours or scores) and stat.S_ISREG(file.lstat().st_mode)


def _about(folder: Path) -> dict[str, Any] | None:
    """What a folder says of itself, if this package wrote that; nothing behind a link is looked at."""
    file = folder / ABOUT
    if folder.is_symlink() or file.is_symlink() or not file.is_file():
        return None
    try:
        about = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return about if isinstance(about, dict) and about.keys() >= _STATED else None


def _read(folder: Path, facts: dict[str, Any]) -> KeptCapture:
    environment = facts["environment"] if isinstance(facts.get("environment"), dict) else {}
    files = list(folder.glob("*.safetensors"))
    return KeptCapture(
        folder=folder,
        model=str(facts.get("model", "unknown")),
        dtype=str(facts.get("dtype", "unknown")),
        hardware=str(environment.get("hardware", "unknown")),
        batches=len(files),
        bytes=sum(file.stat().st_size for file in folder.iterdir() if file.is_file()),
        used=dt.datetime.fromtimestamp((folder / ABOUT).stat().st_mtime, tz=dt.UTC),
        state=_state(folder, facts),
    )


def _state(folder: Path, facts: dict[str, Any]) -> State:
    if folder.name.startswith((UNKEPT, INTERRUPTED)) and is_used(folder):
        return "in use"
    if folder.name.startswith(INTERRUPTED):
        return "interrupted" if facts.get(PACKAGE) == package_version() else "stale"
    return "stale" if folder.name.startswith(UNKEPT) or facts.get("code") != code_version() else "usable"
