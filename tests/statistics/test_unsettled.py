"""How many captions would settle a choice, and which decide it."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from auto_quantize_model.statistics.unsettled import LEAST_SHARE, TIMES, deciding, times_to_settle

NORMAL = NormalDist()
NUMBERS = st.floats(min_value=-1e6, max_value=1e6, allow_subnormal=False)
DIFFERENCES = hnp.arrays(np.float64, st.integers(2, 40), elements=NUMBERS)


@pytest.mark.parametrize(
    ("share", "times"),
    # Of a normal distribution 80 % lie below 0.84 deviations and 95 % below 1.64: (1.64 / 0.84) ** 2 is 3.8.
    [(0.5, None), (0.6, None), (0.67, 16), (0.75, 8), (0.80, 4), (0.90, 2), (0.949, 2)],
)
def test_the_captions_that_settle_a_choice_are_known_of_a_normal_distribution(share: float, times: int | None) -> None:
    assert times_to_settle(share, 0.95) == times


@given(st.floats(0.501, 0.9499), st.floats(0.501, 0.9499))
def test_that_many_times_do_settle_and_half_of_them_do_not(share: float, other: float) -> None:
    times = times_to_settle(share, 0.95)
    ahead = NORMAL.inv_cdf(share)
    if times is None:
        assert NORMAL.cdf(ahead * math.sqrt(TIMES[-1])) < 0.95
        return
    assert NORMAL.cdf(ahead * math.sqrt(times)) >= 0.95 - 1e-9
    assert times == TIMES[0] or NORMAL.cdf(ahead * math.sqrt(times / 2)) < 0.95 + 1e-9
    # What is nearer to being settled never takes more.
    if other >= share:
        assert (times_to_settle(other, 0.95) or math.inf) <= times


def test_the_caption_that_stands_out_is_named_with_what_it_speaks_for() -> None:
    differences = np.full(20, 0.1)
    differences[[3, 11]] = 5.0, -4.0
    (first, second) = deciding(differences, np.full(20, 7))
    assert (first.caption, first.for_first) == (3, True)
    assert (second.caption, second.for_first) == (11, False)
    centred = differences - differences.mean()
    assert [first.share, second.share] == pytest.approx(np.square(centred[[3, 11]]) / np.square(centred).sum())


def test_captions_that_differ_by_their_length_alone_decide_nothing() -> None:
    tokens = np.array([4, 8, 40, 12])
    assert deciding(0.01 * tokens, tokens) == ()
    assert deciding(np.zeros(4), tokens) == ()
    assert deciding(np.ones(4), np.zeros(4, dtype=np.int64)) == ()


@given(DIFFERENCES, st.randoms(use_true_random=False), st.integers(-30, 30))
def test_what_decides_depends_on_neither_order_nor_unit(differences: np.ndarray, random: object, power: int) -> None:
    tokens = np.arange(1, len(differences) + 1)
    found = deciding(differences, tokens)
    shares = [each.share for each in found]
    assert len(found) <= 3
    assert shares == sorted(shares, reverse=True)
    assert all(share >= LEAST_SHARE for share in shares)
    assert sum(shares) <= 1 + 1e-9
    assert [each.for_first for each in found] == [differences[each.caption] > 0 for each in found]
    again = deciding(differences * 2.0**power, tokens)
    assert [each.caption for each in again] == [each.caption for each in found]
    order = list(range(len(differences)))
    random.shuffle(order)  # type: ignore[attr-defined]
    moved = deciding(differences[order], tokens[order])
    assert [each.share for each in moved] == pytest.approx(shares, rel=1e-6)
