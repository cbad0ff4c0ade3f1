"""What of the models was not scored, in one line each."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def coverage_lines(said: Iterable[tuple[str, str | None]]) -> Iterator[str]:
    """By model and what a case of it says; cases that say the same share a line, and one that covers all has none."""
    for (model, line), count in collections.Counter(said).items():
        if line is not None:
            yield f"{model}: {line} ({count} case{'s' * (count != 1)})"
