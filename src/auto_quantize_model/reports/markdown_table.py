"""Every Markdown table of the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


def markdown_table(titles: Sequence[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """The lines of a table."""
    yield "|" + "|".join(titles) + "|"
    yield "|" + " :--- |" * len(titles)
    for row in rows:
        yield "|" + "|".join(row) + "|"


def markdown_table_without_ends(titles: Sequence[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """The lines of a table without bars at their ends: who reads a report's table of layers finds it by those."""
    yield " | ".join(titles)
    yield " | ".join([":---"] * len(titles))
    for row in rows:
        yield " | ".join(row)
