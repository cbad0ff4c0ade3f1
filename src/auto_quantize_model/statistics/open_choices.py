"""The few choices that a price leaves open, decided exactly: by a table over all costs; where that is large, by HiGHS.

A recipe's costs are whole multiples of one unit, mostly with a few thousand of them in its budget. Such a table takes
milliseconds; importing scipy's optimizers alone takes half a second.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Choices = NDArray[np.int64]
    Allowed = NDArray[np.bool_]

_SCALE: Final = 1e6
"""What the value at hand is made for HiGHS, whose own tolerances are absolute."""
_PARTS: Final = 64
"""Into how many parts a unit of cost is split to find what divides all costs."""
_LARGEST_TABLE: Final = 2**22
"""Of how many cells; filling one takes some ten nanoseconds."""


def decide(
    values: Floats, costs: Floats, is_open: Allowed, budget: float, at_hand: float
) -> tuple[Choices, float] | None:
    """The open choices of the least value within a budget, and a proven bound of it; None where none is found.

    `at_hand` is the value of a whole solution, of which these are a part.
    """
    whole = _whole(np.where(is_open, costs, 0.0))
    if whole is not None:
        units, unit = whole
        cheapest = np.where(is_open, units, np.iinfo(np.int64).max).min(axis=1)
        room = int(budget // unit) - int(cheapest.sum())
        if room < 0:
            return None
        if len(values) * (room + 1) <= _LARGEST_TABLE:
            chosen = _by_table(np.where(is_open, values, np.inf), units - cheapest[:, None], room)
            return chosen, float(values[np.arange(len(values)), chosen].sum())
    return _with_highs(values, costs, is_open, budget, _SCALE / at_hand)


def _whole(costs: Floats) -> tuple[Choices, float] | None:
    """Costs in whole multiples of a unit, and that unit; None where they are none."""
    parts = costs * _PARTS
    whole = np.rint(parts).astype(np.int64)
    if (parts != whole).any() or not whole.any():
        return None
    unit = np.gcd.reduce(whole, axis=None)
    return whole // unit, float(unit) / _PARTS


def _by_table(values: Floats, extra: Choices, room: int) -> Choices:
    """Each item's choice, when all of them together may cost so many units beyond their cheapest ones."""
    taken = np.empty((len(values), room + 1), dtype=np.int16)
    least = np.zeros(room + 1)
    for item, (its_values, its_costs) in enumerate(zip(values, extra.tolist(), strict=True)):
        totals = np.full((len(its_values), room + 1), np.inf)
        for choice in np.flatnonzero(np.isfinite(its_values)).tolist():
            cost = its_costs[choice]
            if cost <= room:
                totals[choice, cost:] = least[: room + 1 - cost] + its_values[choice]
        taken[item] = totals.argmin(axis=0)
        least = totals.min(axis=0)
    chosen = np.zeros(len(values), dtype=np.int64)
    for item in reversed(range(len(values))):
        chosen[item] = taken[item, room]
        room -= int(extra[item, chosen[item]])
    return chosen


def _with_highs(
    values: Floats, costs: Floats, is_open: Allowed, budget: float, scale: float
) -> tuple[Choices, float] | None:
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    items, choices = np.nonzero(is_open)
    count = len(items)
    one_each = csr_array((np.ones(count), (items, np.arange(count))), shape=(len(values), count))
    # HiGHS is at home with whole numbers.
    whole = _whole(costs[items, choices])
    unit = float(np.abs(costs[items, choices]).max()) if whole is None else whole[1]
    with _quiet():
        found = milp(
            values[items, choices] * scale,
            integrality=np.ones(count),
            bounds=Bounds(0, 1),
            constraints=[
                LinearConstraint(one_each, 1, 1),
                LinearConstraint(costs[items, choices][None] / unit, -np.inf, budget / unit),
            ],
            options={"mip_rel_gap": 0.0},
        )
    if found.x is None:
        return None
    chosen = np.zeros(len(values), dtype=np.int64)
    taken = found.x > 0.5  # noqa: PLR2004  whole numbers, but for rounding
    chosen[items[taken]] = choices[taken]
    return chosen, float(found.mip_dual_bound) / scale


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep a line that HiGHS 1.x writes past Python for its own developers off the terminal."""
    sys.stdout.flush()
    with contextlib.ExitStack() as undo:
        try:
            kept = os.dup(1)
        except OSError:  # no standard output, so nothing to keep clean
            yield
            return
        undo.callback(os.close, kept)
        undo.callback(os.dup2, kept, 1)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        undo.callback(os.close, nowhere)
        os.dup2(nowhere, 1)
        yield
