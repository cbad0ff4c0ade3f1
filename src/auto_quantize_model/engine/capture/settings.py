"""What a user may say about captures: where they lie, whether they are kept, how much memory they may take."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from auto_quantize_model.cache import cache_root

if TYPE_CHECKING:
    from pathlib import Path


@dataclasses.dataclass(frozen=True, slots=True)
class CaptureSettings:
    """How a run treats its captures; no field of it changes a score."""

    keep: bool = False
    """Whether captures stay on disk after the run, and ones that are there are used."""
    folder: Path | None = None
    """The folder for captures on disk; None: one in the user's cache."""
    memory: int | None = None
    """How many bytes of captured tensors stay in memory; the rest goes to disk. None: what is free decides."""
    run: str | None = None
    """The run that this is a part of: where it is interrupted, the next one of the same pass goes on from what it left,
    until `forget` is called at its end. None: it leaves nothing, and goes on from nothing."""
    fresh: bool = False
    """Whether it goes on from nothing, but may be gone on from."""
    shared: Path | None = None
    """A folder of this run that several processes see: they share the capture and the replay."""
    processes: int = 1
    """How many processes run on this machine, and so share its memory."""
    processes_a_device: int = 1
    """How many of them use the same device."""

    @property
    def root(self) -> Path:
        """The folder for captures on disk."""
        return self.folder or cache_root() / "captures"
