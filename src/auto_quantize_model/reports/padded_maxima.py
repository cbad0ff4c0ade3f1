"""The Markdown report's list of groups whose inputs are quantized by what padding is, not by the captions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auto_quantize_model.quoting import code
from auto_quantize_model.reports.doubtful import listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


def lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """One section, or nothing where no padding matters."""
    names = [code(row["layer"]) for row in rows if row.get("padding_sets_maximum")]
    if not names:
        return
    yield ""
    yield "## Maxima that padding sets"
    yield ""
    yield (
        f"The largest input of {len(names)} of {len(rows)} groups is at a position that only fills a batch up, and "
        "inputs are scaled by it, as ModelOpt calibrates: another padding token, or other captions in a batch, would "
        f"quantize them otherwise. `autoquant.batch_size: 1` calibrates without padding. They are {listed(names)}."
    )
