"""Replacing a whole folder: whoever looks, and whenever the process is killed, finds all old files or all new ones.

The new folder is staged near its place, in `.publishing/`, and swapped in. Where a file system cannot swap, the old
folder is parked in `.publishing/` for a moment. A process killed just then leaves it there: `whereabouts` finds it for
whoever reads, and `put_back` restores it when something is published next.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from auto_quantize_model.artifacts import STAGING
from auto_quantize_model.baselines.exchange import exchange
from auto_quantize_model.errors import InputError
from auto_quantize_model.whole_files import as_bytes, check_file_name, refuse_links

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterator, Mapping

_PARKED = "old"
_MARK = ".made-by-publish"
"""A file in every folder that is made here: only those are ever removed again."""
_STALE_SECONDS = 3600
_ATTEMPTS = 100
_DISTURBED = {errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY}
"""What another process that publishes at the same time can cause; trying again helps."""


def replace_folder(root: Path, folder: Path, files: Mapping[str, str | bytes], dropped: Collection[str] = ()) -> None:
    """Make a folder below a root hold exactly these files, in one step.

    A file in it that would be lost is an error, unless it is among those that are to be dropped.
    """
    refuse_links(root, folder)
    refuse_links(root, _staging(folder))
    for name in files:
        check_file_name(name, folder)
    try:
        contents = {name: as_bytes(content) for name, content in files.items()}
        _sweep(_staging(folder))
        _replace(folder, contents, {*contents, *dropped})
    except UnicodeEncodeError as error:
        raise InputError(f"{folder}: cannot be written: {error.reason} in what it would hold") from None
    except OSError as error:
        raise InputError(f"{error.filename or folder}: cannot be written: {error.strerror}") from None


def put_back(root: Path, folder: Path) -> None:
    """Put a folder back that a killed process has parked; does nothing where the folder is in its place."""
    refuse_links(root, folder.parent)
    _put_back(folder)


def _put_back(folder: Path) -> None:
    if os.path.lexists(folder):
        return
    # Another process may put it back first.
    with _undisturbed():
        parked = _parked(folder)
        if parked is not None:
            folder.parent.mkdir(parents=True, exist_ok=True)
            parked.rename(folder)


def whereabouts(folder: Path) -> Path | None:
    """Where a folder is: in its place, or where a killed process has parked it, whole; None where it is in neither."""
    if not os.path.lexists(folder):
        with _undisturbed():
            parked = _parked(folder)
            if parked is not None:
                return parked
    return folder if os.path.lexists(folder) else None


def _parked(folder: Path) -> Path | None:
    """Where a folder is parked; of several places the latest."""
    places = [_parking_place(workspace, folder) for workspace in _workspaces(_staging(folder))]
    return max((place for place in places if place.exists()), key=_parked_at, default=None)


def _parked_at(parked: Path) -> int:
    return parked.parent.stat().st_mtime_ns


def _workspaces(staging: Path) -> list[Path]:
    """The folders in the staging folder; nothing behind a link is one."""
    if staging.is_symlink():
        return []
    try:
        return [path for path in staging.iterdir() if stat.S_ISDIR(path.lstat().st_mode)]
    except FileNotFoundError:
        return []


def _staging(folder: Path) -> Path:
    return folder.parent.parent / STAGING


def _parking_place(workspace: Path, folder: Path) -> Path:
    """The path says where the folder belongs, for whoever finds it there."""
    return workspace / _PARKED / folder.parent.name / folder.name


def _refuse_to_lose(folder: Path, names: Container[str]) -> None:
    if folder.exists():
        for path in sorted(folder.iterdir()):
            if path.name not in names:
                raise InputError(f"{path}: is no artifact and would be lost by publishing; move it away")


def _replace(folder: Path, contents: Mapping[str, bytes], ours: Container[str]) -> None:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            _put_back(folder)
            _refuse_to_lose(folder, ours)
            _replace_once(folder, contents)
        except OSError as error:
            if error.errno not in _DISTURBED or attempt == _ATTEMPTS:
                raise
        else:
            return


def _replace_once(folder: Path, contents: Mapping[str, bytes]) -> None:
    workspace = _new_workspace(_staging(folder))
    try:
        _put_in_place(_stage(workspace, contents), folder, workspace)
    finally:
        _discard(workspace)


def _stage(workspace: Path, contents: Mapping[str, bytes]) -> Path:
    staged = workspace / "new"
    staged.mkdir()
    for name, content in contents.items():
        (staged / name).write_bytes(content)
    return staged


def _put_in_place(staged: Path, folder: Path, workspace: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    if not os.path.lexists(folder):
        staged.rename(folder)
    elif not exchange(staged, folder):
        parked = _parking_place(workspace, folder)
        parked.parent.mkdir(parents=True)
        folder.rename(parked)
        staged.rename(folder)


def _new_workspace(staging: Path) -> Path:
    for _ in range(_ATTEMPTS):
        # Another process removes the staging folder when it is the last to leave it.
        with _undisturbed():
            staging.mkdir(parents=True, exist_ok=True)
            workspace = Path(tempfile.mkdtemp(dir=staging))
            (workspace / _MARK).touch()
            return workspace
    raise InputError(f"{staging}: cannot be written: it vanishes again and again; publish when nothing else does")


def _discard(workspace: Path) -> None:
    """Remove a workspace; what is parked in it and missed in its place goes back there first."""
    with contextlib.suppress(OSError):
        if (workspace / _MARK).exists():
            _empty(workspace)
        # Without a mark a process had only just made it, or it holds somebody else's files and stays.
        workspace.rmdir()
        workspace.parent.rmdir()


def _empty(workspace: Path) -> None:
    for parked in (workspace / _PARKED).glob("*/*"):
        _put_back(workspace.parent.parent / parked.parent.name / parked.name)
    # A folder that is only half deleted must never be taken for a parked one.
    with _undisturbed():
        (workspace / _PARKED).rename(workspace / "dropped")
    mark = workspace / _MARK
    for path in workspace.iterdir():
        if path != mark:
            shutil.rmtree(path)
    # Last: until then, whoever comes after a killed process knows it for a workspace.
    mark.unlink()


def _sweep(staging: Path) -> None:
    for workspace in _workspaces(staging):
        with _undisturbed():
            if time.time() - workspace.stat().st_mtime > _STALE_SECONDS:
                _discard(workspace)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Pass over what another process did first."""
    try:
        yield
    except OSError as error:
        if error.errno not in _DISTURBED:
            raise
