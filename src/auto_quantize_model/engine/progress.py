"""How long work tells the outside how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Progress = Callable[[str, int, int], None]
    """Called with a stage, how much of it is done, and how much there is."""
    Notice = Callable[[str], None]
    """Called with a line that is worth a user's attention."""


def silent(stage: str, done: int, total: int) -> None:
    """Report nothing."""


def unnoticed(line: str) -> None:
    """Say nothing."""
