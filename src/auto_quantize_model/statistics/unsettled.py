"""What leaves a choice between two open: how many captions would settle it, and which of those at hand decide it."""

from __future__ import annotations

import dataclasses
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

TIMES: Final = (2, 4, 8, 16)
"""How many times as many captions: no finer, for the number is no better known than that."""
_MOST_NAMED: Final = 3
_ROUNDING: Final = 1e-24
"""Squares of relative differences below this are the work of rounding."""
LEAST_SHARE: Final = 0.1
"""A caption that carries less of what the captions differ by is one of many."""


@dataclasses.dataclass(frozen=True, slots=True)
class Deciding:
    """A caption that much of a choice hangs on."""

    caption: int
    """Its number among the scored ones, from 0."""
    for_first: bool
    """Whether it speaks for the first of the two, which is the better one over all captions."""
    share: float
    """Of what the captions differ by, as squares."""


def times_to_settle(share: float, settled: float) -> int | None:
    """How many times as many captions would settle what a share of the draws choose; None where it is more than 16.

    What draws differ by falls with the root of the captions, and a normal distribution says what share is then left.
    """
    if share <= 0.5:  # noqa: PLR2004  nothing is ahead
        return None
    normal = NormalDist()
    needed = (normal.inv_cdf(settled) / normal.inv_cdf(share)) ** 2 if share < 1 else 0.0
    return next((times for times in TIMES if needed <= times), None)


def deciding(differences: Floats, tokens: NDArray[np.int64]) -> tuple[Deciding, ...]:
    """The captions that a difference of two choices hangs on, at most three: what makes its mean per token uncertain.

    `differences` are what each caption adds to the second choice's predicted KL beyond the first's.
    """
    largest = float(np.abs(differences).max(initial=0.0))
    if largest == 0.0 or not tokens.sum():
        return ()
    scaled = differences / largest
    squares = np.square(scaled - scaled.sum() / tokens.sum() * tokens)
    whole = float(squares.sum())
    if whole <= _ROUNDING * float(np.square(scaled).sum()):
        return ()
    most = np.argsort(-squares, kind="stable")[:_MOST_NAMED]
    shares = squares / whole
    return tuple(
        Deciding(int(each), bool(differences[each] > 0), float(shares[each]))
        for each in most
        if shares[each] >= LEAST_SHARE
    )
