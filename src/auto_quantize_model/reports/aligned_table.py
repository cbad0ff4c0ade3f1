"""Tables in plain text, for a terminal that shows what pytest prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auto_quantize_model.quoting import visible

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence


def aligned_table(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> Iterator[str]:
    """Rows with their cells below each other, the titles first; `right` are the columns that end below each other."""
    rows = [[visible(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
