"""How far other captions would move a maximum, against distributions whose maxima are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from auto_quantize_model.statistics.calibration import log_spread, other_maximum

MAXIMA = arrays(np.float32, st.integers(2, 70), elements=st.floats(2.0**-60, 2.0**60, width=32))


@given(MAXIMA)
def test_the_other_maximum_is_no_smaller_and_in_the_same_unit(maxima: np.ndarray) -> None:
    other = other_maximum(maxima)
    assert other is not None
    assert other >= maxima.max()
    eighth = (maxima / np.float32(8)).astype(np.float32)
    assert other_maximum(eighth) == pytest.approx(other / 8, rel=1e-6) or other > 2.0**120
    assert other_maximum(maxima[::-1]) == other


@pytest.mark.parametrize("batches", [16, 64])
@pytest.mark.parametrize("scale", [0.02, 0.2])
def test_it_lies_one_standard_deviation_above(batches: int, scale: float) -> None:
    """Of batches whose maxima have a Pareto tail, how far the largest varies is known without estimating a scale."""
    drawn = np.exp(scale * np.random.default_rng(1).exponential(size=(4000, batches))).astype(np.float32)
    steps = [math.log(other / maxima.max()) for maxima in drawn if (other := other_maximum(maxima)) is not None]
    assert len(steps) == len(drawn)
    assert np.mean(steps) == pytest.approx(np.log(drawn.max(axis=1)).std(), rel=0.05)


def test_of_two_batches_the_gap_tells() -> None:
    found = other_maximum(np.array([2, 3], dtype=np.float32))
    assert found == pytest.approx(3 * 1.5 ** (math.pi / math.sqrt(6)))


@pytest.mark.parametrize(
    ("maxima", "other"),
    [
        ([5, math.inf], None),
        ([5, math.nan], None),
        ([5, 5, 5], 5.0),
        ([0, 0], 0.0),
        ([5], None),
        ([0], None),
        ([5, 0], None),
    ],
    ids=[
        "beyond all",
        "no number",
        "the same in all",
        "nothing but zeros",
        "one batch",
        "one batch of zeros",
        "zeros but in one",
    ],
)
def test_without_a_gap_there_is_nothing_to_tell_by(maxima: list[float], other: float | None) -> None:
    assert other_maximum(np.array(maxima, dtype=np.float32)) == other


def test_a_spread_is_of_the_logarithm_whichever_way_the_score_moves() -> None:
    assert log_spread(10.0, 4.0, 4.0) == 0
    assert log_spread(10.0, 4.0, 5.0) == pytest.approx(math.log(1.1))
    assert log_spread(10.0, 4.0, 3.0) == pytest.approx(math.log(1.1))
    assert log_spread(0.0, 0.0, 1.0) == 0
    assert log_spread(math.nan, 0.0, 1.0) == 0
