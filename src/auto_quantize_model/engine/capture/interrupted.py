"""What an interrupted run leaves to the next run of the same pass: batches, scores, and what was measured.

A folder belongs to one run at a time, whose processes may share it. It goes when that run has come to its end, or when
nobody has come back to it.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from auto_quantize_model.engine.capture.identity import ABOUT
from auto_quantize_model.engine.capture.kept import INTERRUPTED, is_used, kept_captures, owners, remove, to_prune
from auto_quantize_model.errors import InputError
from auto_quantize_model.whole_files import PART, replace_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from auto_quantize_model.engine.capture.settings import CaptureSettings


_GATE = "interrupted.lock"
"""Who comes, or removes anything, holds a lock on it."""
_GATE_SECONDS = 60
UNUSED_DAYS = 7
MOST_BYTES = 20 << 30
"""What nobody came back to for so long goes, and of the rest but the last the oldest beyond this size."""
RUN = "run"
"""Which run a folder belongs to, among what it says of itself."""
NO_FOLDER = (OSError, NotImplementedError)
"""What comes of a place that cannot be written, or has no locks."""


class PassFolder:
    """A pass's folder, for as long as this process works on the pass."""

    def __init__(self, path: Path, about: Mapping[str, Any], *, went_on: bool) -> None:
        self.path = path
        self.about = about
        self.went_on = went_on
        """Whether another run was at this pass before."""
        self.finished = False
        """Set once every group is scored: captured batches are of no more use then."""


@contextlib.contextmanager
def pass_folder(
    root: Path, name: str, about: Mapping[str, Any], run: str, *, fresh: bool
) -> Iterator[PassFolder | None]:
    """The folder of a pass, with what an interrupted run left unless this one is to be `fresh`.

    None where another run is at the same pass just now; one of `NO_FOLDER` where no folder can be.
    """
    path = root / f"{INTERRUPTED}{name}"
    root.mkdir(parents=True, exist_ok=True)
    with _gate(root):
        _expire(root, path, run)
        went_on = path.is_dir() and _run_of(path) != run
        entered = None if went_on and is_used(path) else _enter(path, {**about, RUN: run}, afresh=went_on and fresh)
    if entered is None:
        yield None
        return
    folder = PassFolder(path, {**about, RUN: run}, went_on=went_on and not fresh)
    try:
        yield folder
    finally:
        entered.release()
        with contextlib.suppress(OSError):
            Path(entered.lock_file).unlink()
        if folder.finished:
            _remove_captures(path)


def forget(settings: CaptureSettings) -> None:
    """A run has come to its end, so nobody goes on from it."""
    root, run = settings.root, settings.run
    mine = [folder for folder in root.glob(f"{INTERRUPTED}*") if _run_of(folder) == run]
    if not mine:
        return
    with contextlib.suppress(*NO_FOLDER), _gate(root):
        for folder in mine:
            if _run_of(folder) == run and not is_used(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _enter(path: Path, about: Mapping[str, Any], *, afresh: bool) -> FileLock:
    """Make the folder one's own, or come in beside other processes of the same run."""
    if afresh:
        shutil.rmtree(path)
    path.mkdir(exist_ok=True)
    if not is_used(path):
        for file in (*owners(path), *path.glob(f".*{PART}")):
            file.unlink(missing_ok=True)
    owner = FileLock(path / f"owner-{uuid.uuid4().hex}.lock")
    owner.acquire()
    replace_text(path / ABOUT, json.dumps(about, indent=2) + "\n")
    return owner


def _expire(root: Path, path: Path, run: str) -> None:
    """Remove what nobody comes back to; what cannot be looked at or removed is in nobody's way.

    What the last run left stays, however large: this one may come to it later, after its other passes.
    """
    with contextlib.suppress(OSError):
        left = [
            each
            for each in kept_captures(root)
            if each.folder.name.startswith(INTERRUPTED)
            and each.folder != path
            and each.state != "in use"
            and _run_of(each.folder) != run
        ]
        too_old = to_prune(left, unused_days=UNUSED_DAYS, keep_bytes=None)
        too_large = to_prune(left[1:], unused_days=UNUSED_DAYS, keep_bytes=MOST_BYTES)
        for capture in {each.folder: each for each in (*too_old, *too_large)}.values():
            with contextlib.suppress(InputError):
                remove(capture)


def _remove_captures(path: Path) -> None:
    """The last to leave removes what was captured; the scores stay until the run has come to its end."""
    with contextlib.suppress(*NO_FOLDER), _gate(path.parent):
        if not is_used(path):
            for file in (*path.glob("*.safetensors"), *path.glob("*.lock")):
                file.unlink(missing_ok=True)


def _run_of(path: Path) -> str | None:
    try:
        about = json.loads((path / ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return str(about.get(RUN)) if isinstance(about, dict) else None


def _gate(root: Path) -> FileLock:
    return FileLock(root / _GATE, timeout=_GATE_SECONDS)
