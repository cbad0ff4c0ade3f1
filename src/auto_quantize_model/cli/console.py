"""The console that subcommands print their tables on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

PLAIN_WIDTH = 150
"""Columns of a table that no terminal bounds."""


def table_console() -> Console:
    """Standard output, as wide as its terminal; wide enough for a table where there is none."""
    from rich.console import Console

    console = Console(soft_wrap=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    return console
