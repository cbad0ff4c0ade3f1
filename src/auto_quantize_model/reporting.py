"""How long work tells the outside how far it is, and what is worth a line."""

from __future__ import annotations

import dataclasses
from typing import Protocol


class Progress(Protocol):
    """Called with a stage, how much of it is done, and how much there is."""

    def __call__(self, stage: str, done: int, total: int, /) -> None: ...


class Notice(Protocol):
    """Called with a line that is worth a user's attention."""

    def __call__(self, line: str, /) -> None: ...


def silent(stage: str, done: int, total: int) -> None:
    """Report no progress."""


def no_notice(line: str) -> None:
    """Drop the line."""


@dataclasses.dataclass(frozen=True, slots=True)
class Reporting:
    """Whom a run reports to."""

    progress: Progress = silent
    notice: Notice = no_notice
