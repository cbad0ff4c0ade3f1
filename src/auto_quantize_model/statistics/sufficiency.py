"""Were the captions enough: how the scores settled as captions came in, and whether the top ten groups are settled."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Final

import numpy as np

from auto_quantize_model.statistics.bootstrap import LARGEST, TAIL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

TOP: Final = 10
_FIRST_PREFIX: Final = 8
_ROUNDING: Final = 1e-12


@dataclasses.dataclass(frozen=True, slots=True)
class Spread:
    """How far off a prefix is, over groups, as a share of what all captions give."""

    median: float
    maximum: float


@dataclasses.dataclass(frozen=True, slots=True)
class Prefix:
    """What the first captions alone would have said, against all of them."""

    samples: int
    score: Spread
    """Of the score per caption: ModelOpt's own grows with the captions."""
    predicted_kl: Spread | None
    """Of the predicted KL per loss token; None where these captions have none."""
    spearman: float | None
    """The rank correlation with the whole; None where all groups are equal."""
    top_ten_kept: int
    """How many of the ten most sensitive groups are so already."""


@dataclasses.dataclass(frozen=True, slots=True)
class TopTen:
    """Whether it is settled which groups are the ten most sensitive."""

    settled: bool
    captions_needed: int | None
    """How many captions in all settle it, by a normal approximation; None where no number is known to."""
    between: tuple[int, int] | None
    """The pair of a group inside and one outside, by position, that takes most captions to tell apart."""
    reason: str | None
    """Why there is no number."""


def convergence(samples: Sequence[Floats], kl: Sequence[Floats], tokens: NDArray[np.int64]) -> list[Prefix]:
    """The first 8, 16, 32, ... captions against all of them, the last row; the later rows share most captions with it.

    Compared are the mean score per caption and the predicted KL per loss token. Unlike ModelOpt's sum these do not
    grow with the captions; the second also holds where a last batch is smaller, whose captions weigh more in a score.
    """
    count = len(tokens)
    lengths = [length for length in (_FIRST_PREFIX << step for step in range(count.bit_length())) if length < count]
    unit, running = _running_shares(samples)
    _, running_kl = _running_shares(kl)
    running_tokens = np.cumsum(tokens)
    whole = _means(unit, running, count)
    return [
        Prefix(
            samples=length,
            score=_spread(running[:, length - 1], running[:, -1], count / length),
            predicted_kl=_spread(running_kl[:, length - 1], running_kl[:, -1], running_tokens[-1] / before)
            if (before := int(running_tokens[length - 1]))
            else None,
            spearman=_spearman(part := _means(unit, running, length), whole),
            top_ten_kept=len(_top(part) & _top(whole)),
        )
        for length in [*lengths, count]
    ]


def top_ten(samples: Sequence[Floats], totals: Floats, bands: NDArray[np.int64]) -> TopTen:
    """Whether the top ten are settled, and else how many captions would settle them.

    They are settled where the tie bands part the tenth group from the eleventh. The number is the smallest at which
    every group inside is a two-sided 95 % quantile of the paired standard error, which falls with the root of the
    captions, above every group outside; the bands have the last word on which side of today's captions it lies.
    """
    order = np.argsort(totals, kind="stable")
    if len(order) <= TOP:
        return TopTen(settled=True, captions_needed=None, between=None, reason="there are no more than ten groups")
    settled = bool(bands[order[-TOP]] > bands[order[-TOP - 1]])
    values = np.stack(samples)[order]
    needed = np.concatenate([_captions_to_part(inside, values[:-TOP]) for inside in values[-TOP:]])
    inside, outside = divmod(int(np.argmax(needed)), len(order) - TOP)
    between = int(order[len(order) - TOP + inside]), int(order[outside])
    if not math.isfinite(needed.max()):
        reason = "a group inside and one outside have the same score"
        return TopTen(settled=settled, captions_needed=None, between=between, reason=reason)
    count, number = values.shape[1], math.ceil(needed.max())
    number = min(max(number, 2), count) if settled else max(number, count + 1)
    return TopTen(settled=settled, captions_needed=number, between=between, reason=None)


def _running_shares(samples: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Each group's unit, and its running sums in that unit, so that no sum overflows."""
    values = np.stack(samples)
    unit = np.maximum(values.max(axis=1), np.finfo(np.float64).tiny)
    return unit, np.cumsum(values / unit[:, None], axis=1)


def _means(unit: Floats, running: Floats, length: int) -> Floats:
    with np.errstate(over="ignore"):
        means: Floats = np.minimum(unit * (running[:, length - 1] / length), LARGEST)
    return means


def _spread(part: Floats, whole: Floats, factor: float) -> Spread:
    ratio = np.divide(part, whole, out=np.full_like(whole, 1 / factor), where=whole > 0)
    off = np.abs(ratio * factor - 1)
    return Spread(float(np.median(off)), float(off.max()))


def _spearman(part: Floats, whole: Floats) -> float | None:
    from scipy.stats import spearmanr

    if np.ptp(part) == 0 or np.ptp(whole) == 0:
        return None
    return float(np.clip(spearmanr(part, whole).statistic, -1.0, 1.0))


def _top(scores: Floats) -> set[int]:
    return set(np.argsort(scores, kind="stable")[-TOP:].tolist())


def _captions_to_part(inside: Floats, outside: Floats) -> Floats:
    """How many captions part one group from each of others that score less; infinite where they are equal."""
    from scipy.stats import norm

    differences = inside - outside
    unit = np.maximum(np.maximum(outside.max(axis=1), inside.max()), np.finfo(np.float64).tiny)
    scaled = differences / unit[:, None]
    gap, spread = scaled.mean(axis=1), scaled.std(axis=1, ddof=1)
    scale = (inside / unit[:, None]).mean(axis=1)
    parted = gap > _ROUNDING * scale
    root = np.divide(norm.ppf(1 - TAIL) * spread, gap, out=np.full_like(gap, np.inf), where=parted)
    needed: Floats = np.square(root)
    return needed
