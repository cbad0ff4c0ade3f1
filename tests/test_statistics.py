from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.stats import bootstrap, rankdata

from auto_quantize_model.statistics import RESAMPLES, ranks, uncertainties

SAMPLES = arrays(np.float64, array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=12), elements=st.floats(0, 1e12))


@given(SAMPLES)
def test_intervals_are_numbers_around_the_sum(samples: np.ndarray) -> None:
    found = uncertainties(list(samples))
    assert found is not None
    totals = samples.sum(axis=1)
    for each, total, rank in zip(found, totals, ranks(totals), strict=True):
        assert np.isfinite([each.stderr, *each.ci95]).all()
        assert each.stderr >= 0
        assert each.ci95[0] <= total <= each.ci95[1]
        assert 1 <= each.rank_ci95[0] <= rank <= each.rank_ci95[1] <= len(samples)


@given(arrays(np.float64, st.integers(1, 30), elements=st.floats(0, 1e6)))
def test_ranks_are_permutations_that_scipy_gives_too(scores: np.ndarray) -> None:
    assert ranks(scores).tolist() == rankdata(scores, method="ordinal").tolist()


def test_intervals_are_those_of_scipys_percentile_bootstrap() -> None:
    samples = np.random.default_rng(1).exponential(size=(3, 128))
    found = uncertainties(list(samples))
    assert found is not None
    for each, values in zip(found, samples, strict=True):
        theirs = bootstrap(
            (values,), np.sum, n_resamples=20 * RESAMPLES, method="percentile", rng=np.random.default_rng(2)
        )
        assert each.stderr == pytest.approx(theirs.standard_error, rel=0.02)
        assert each.ci95 == pytest.approx(tuple(theirs.confidence_interval), rel=0.02)


def test_the_same_samples_give_the_same_numbers() -> None:
    samples = list(np.random.default_rng(1).exponential(size=(4, 16)))
    assert uncertainties(samples) == uncertainties(samples)


def test_one_caption_has_no_spread() -> None:
    assert uncertainties([np.array([1.0]), np.array([2.0])]) is None
    assert uncertainties([]) is None
