"""How many times one thing costs what another does on the same captions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from auto_quantize_model.statistics.bootstrap import LARGEST, paired_ratio


def test_a_constant_multiple_has_no_doubt() -> None:
    costs = np.random.default_rng(1).exponential(size=40)
    assert paired_ratio(1.7 * costs, costs) == pytest.approx((1.7, 1.7, 1.7))


def test_the_interval_is_that_of_scipys_resamples() -> None:
    random = np.random.default_rng(2)
    other = random.exponential(size=60)
    one = 0.6 * other + 0.2 * random.exponential(size=60)
    ratio, low, high = paired_ratio(one, other)
    assert ratio == pytest.approx(one.sum() / other.sum())
    theirs = stats.bootstrap(
        (one, other),
        lambda one, other, axis: one.sum(axis=axis) / other.sum(axis=axis),
        paired=True,
        method="percentile",
        n_resamples=20_000,
        rng=3,
    ).confidence_interval
    wide = theirs.high - theirs.low
    assert low == pytest.approx(theirs.low, abs=0.1 * wide)
    assert high == pytest.approx(theirs.high, abs=0.1 * wide)


def test_what_costs_nothing_is_as_good_as_itself_and_endlessly_better_than_anything_else() -> None:
    nothing, something = np.zeros(8), np.ones(8)
    assert paired_ratio(nothing, nothing) == (1, 1, 1)
    assert paired_ratio(something, nothing) == (LARGEST, LARGEST, LARGEST)
    assert paired_ratio(nothing, something) == (0, 0, 0)
