"""Comparing two sets of captions: lengths, vocabulary, repetition."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_WORD = re.compile(r"[a-z']+")
_RUN = 4


@dataclass(frozen=True)
class CaptionStatistics:
    """What one set of captions looks like; lengths count what blanks separate."""

    lines: int
    vocabulary: frozenset[str]
    mean_length: float
    shortest: int
    longest: int
    deciles: tuple[int, ...]
    repeated_share: float
    """Share of the distinct runs of four words that occur more than once."""


@dataclass(frozen=True)
class CaptionComparison:
    """Two sets of captions side by side."""

    a: CaptionStatistics
    b: CaptionStatistics
    covered: float
    """Share of the vocabulary of `b` that occurs in `a`."""


def compare_captions(a: Sequence[str], b: Sequence[str]) -> CaptionComparison:
    """Measure two sets of captions, neither of them empty."""
    mine, theirs = caption_statistics(a), caption_statistics(b)
    covered = _share(len(mine.vocabulary & theirs.vocabulary), len(theirs.vocabulary))
    return CaptionComparison(mine, theirs, covered)


def caption_statistics(captions: Sequence[str]) -> CaptionStatistics:
    """Measure one set of captions, which is not empty."""
    lengths = sorted(len(caption.split()) for caption in captions)
    told = [_WORD.findall(caption.lower()) for caption in captions]
    runs = Counter(tuple(words[i : i + _RUN]) for words in told for i in range(len(words) - _RUN + 1))
    return CaptionStatistics(
        lines=len(captions),
        vocabulary=frozenset(word for words in told for word in words),
        mean_length=sum(lengths) / len(lengths),
        shortest=lengths[0],
        longest=lengths[-1],
        deciles=tuple(lengths[-(-len(lengths) * tenths // 10) - 1] for tenths in range(1, 10)),
        repeated_share=_share(sum(count > 1 for count in runs.values()), len(runs)),
    )


def table(comparison: CaptionComparison, a: str, b: str) -> Iterator[str]:
    """Yield the lines of a Markdown table; `a` and `b` name the two sets."""
    yield f"| | {a} | {b} |"
    yield "| --- | --- | --- |"
    for (title, mine), (_, theirs) in zip(_rows(comparison.a), _rows(comparison.b), strict=True):
        yield f"| {title} | {mine} | {theirs} |"
    yield f"| share of the other's vocabulary covered | {comparison.covered:.1%} | |"


def _rows(statistics: CaptionStatistics) -> Iterator[tuple[str, str]]:
    yield "captions", str(statistics.lines)
    yield "vocabulary", str(len(statistics.vocabulary))
    yield "words a caption, mean", f"{statistics.mean_length:.1f}"
    yield "words a caption, shortest", str(statistics.shortest)
    yield "words a caption, longest", str(statistics.longest)
    yield "words a caption, deciles", " ".join(map(str, statistics.deciles))
    yield "4-word runs that occur more than once", f"{statistics.repeated_share:.1%}"


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
