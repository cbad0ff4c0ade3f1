from __future__ import annotations

import math

import pytest

from auto_quantize_model.statistics.rank_correlation import spearman


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([1, 2, 3], [10, 200, 3000], 1.0),
        ([1, 2, 3], [3, 2, 1], -1.0),
        ([1, 2, 3, 4], [2, 1, 4, 3], 0.6),
        ([1, 2, math.inf], [1, 2, 3], 1.0),
        ([1, 1, 1], [1, 2, 3], None),
        ([1, 2, 3], [math.inf] * 3, None),
        ([1, 2, math.nan], [1, 2, 3], None),
    ],
)
def test_it_compares_orders(one: list[float], other: list[float], expected: float | None) -> None:
    assert spearman(one, other) == (None if expected is None else pytest.approx(expected))
