"""How alike two sets of numbers order the same things."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def spearman(one: Sequence[float] | NDArray[np.float64], other: Sequence[float] | NDArray[np.float64]) -> float | None:
    """Spearman's rank correlation; None where there is no order to compare, because all numbers of one are equal."""
    from scipy.stats import spearmanr

    both = np.asarray([one, other], dtype=np.float64)
    if (both == both[:, :1]).all(axis=1).any():
        return None
    correlation = float(spearmanr(*both).statistic)
    return None if math.isnan(correlation) else min(max(correlation, -1.0), 1.0)
