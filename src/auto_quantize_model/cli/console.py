"""How subcommands print: on one console, every table and every line in one way."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

from auto_quantize_model.quoting import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console
    from rich.table import Table

PLAIN_WIDTH = 170
"""Columns of a table that no terminal bounds."""


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    title: str
    right: bool = False
    if_narrow: Literal["keep", "cut", "fold"] = "keep"
    """What becomes of its cells on a terminal that is too narrow."""


def table_console() -> Console:
    """Standard output, as wide as its terminal; wide enough for a table where there is none."""
    from rich.console import Console

    console = Console(soft_wrap=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    return console


def table(columns: Iterable[Column], rows: Iterable[Sequence[str]], title: str | None = None) -> Table:
    """A table of cells that are shown as they are: nothing in them is markup."""
    from rich.table import Table

    made = Table(title=title, title_justify="left")
    for column in columns:
        made.add_column(
            column.title,
            justify="right" if column.right else "left",
            no_wrap=column.if_narrow != "fold",
            overflow="fold" if column.if_narrow == "fold" else "ellipsis",
        )
    for row in rows:
        add_row(made, row)
    return made


def add_row(made: Table, cells: Iterable[str]) -> None:
    """Add one more row to a table."""
    from rich.text import Text

    made.add_row(*(Text(visible(cell)) for cell in cells))


def say(console: Console, text: str, style: str | None = None) -> None:
    """Print one line as it is: nothing in it is markup, and it is not wrapped."""
    console.print(visible(text), style=style, markup=False, highlight=False, soft_wrap=True)
