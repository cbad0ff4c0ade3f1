"""How long work tells the outside how far it is, and what is worth a line."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with a stage, how much of it is done, and how much there is."""
Notice = Callable[[str], None]
"""Called with a line that is worth a user's attention."""


def silent(stage: str, done: int, total: int) -> None:
    """Report no progress."""


def no_notice(line: str) -> None:
    """Drop the line."""


@dataclasses.dataclass(frozen=True, slots=True)
class Reporting:
    """Whom a run reports to."""

    progress: Progress = silent
    notice: Notice = no_notice
