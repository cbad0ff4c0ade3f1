from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.stats import bootstrap, rankdata

from auto_quantize_model.statistics.bootstrap import TAIL, draws, estimate, resampled_means, sums
from auto_quantize_model.statistics.uncertainty import kl_uncertainties, ranks, tie_bands, uncertainties

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ANY_FLOAT = st.floats(0, allow_infinity=False) | st.sampled_from(
    [0.0, 5e-324, 1e-310, 1.0, 1e300, 1.7976931348623157e308]
)
SAMPLES = arrays(np.float64, array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=12), elements=ANY_FLOAT)


@given(SAMPLES)
def test_intervals_are_numbers_around_the_sum(samples: Floats) -> None:
    found = uncertainties(list(samples))
    assert found is not None
    totals = sums(samples)
    for each, total, rank in zip(found, totals, ranks(totals), strict=True):
        assert np.isfinite([each.stderr, *each.ci95]).all()
        assert each.stderr >= 0
        assert 0 <= each.ci95[0] <= total <= each.ci95[1]
        assert 1 <= each.rank_ci95[0] <= rank <= each.rank_ci95[1] <= len(samples)


@given(SAMPLES, st.data())
def test_intervals_of_the_predicted_kl_are_too(samples: Floats, data: st.DataObject) -> None:
    tokens = data.draw(arrays(np.int64, samples.shape[1], elements=st.integers(0, 512)))
    samples[:, tokens == 0] = 0
    found = kl_uncertainties(list(samples), tokens, [0.0] * len(samples))
    assert found is not None
    for each, total in zip(found, sums(samples), strict=True):
        assert np.isfinite([each.stderr, *each.ci95]).all()
        assert each.stderr >= 0
        assert 0 <= each.ci95[0] <= total <= each.ci95[1]


@given(arrays(np.float64, st.integers(1, 30), elements=st.floats(0, 1e6)))
def test_ranks_are_permutations_that_scipy_gives_too(scores: Floats) -> None:
    assert ranks(scores).tolist() == rankdata(scores, method="ordinal").tolist()


def test_intervals_are_studentized_as_with_scipys_resampling() -> None:
    """Scipy resamples the studentized mean; the interval is its turned over, in units of the standard error."""
    samples = np.random.default_rng(1).exponential(size=(3, 64))
    found = uncertainties(list(samples))
    assert found is not None
    for each, values in zip(found, samples, strict=True):
        error = values.std(ddof=1) / np.sqrt(64)
        assert each.stderr == pytest.approx(64 * error)

        def studentized(x: Floats, axis: int, mean: float = values.mean()) -> Floats:
            result: Floats = (x.mean(axis) - mean) / (x.std(axis, ddof=1) / 8)
            return result

        theirs = bootstrap(
            (values,), studentized, n_resamples=20_000, method="percentile", rng=np.random.default_rng(2)
        ).confidence_interval
        low, high = 64 * (values.mean() - error * theirs.high), 64 * (values.mean() - error * theirs.low)
        assert each.ci95 == pytest.approx((low, high), abs=0.1 * (high - low))


def test_the_standard_error_is_that_of_scipys_bootstrap() -> None:
    samples = np.random.default_rng(1).exponential(size=(3, 128))
    for error, values in zip(estimate(samples).stderr, samples, strict=True):
        theirs = bootstrap((values,), np.sum, n_resamples=20_000, method="percentile", rng=np.random.default_rng(2))
        assert error == pytest.approx(theirs.standard_error, rel=0.02)


def test_a_predicted_kl_that_goes_with_the_tokens_is_sure() -> None:
    """Only captions whose divergence per token differs leave its mean per token open, not long and short ones."""
    tokens = np.random.default_rng(1).integers(5, 50, size=32)
    even = np.array(1e-6 * tokens, dtype=np.float64)
    uneven: Floats = even * np.random.default_rng(2).exponential(size=32)
    found = kl_uncertainties([even, uneven], tokens, [0.0, 0.0])
    assert found is not None
    assert found[0].ci95 == pytest.approx((even.sum(), even.sum()))
    assert found[0].stderr < 1e-12 * even.sum()
    assert found[1].stderr > 0.05 * uneven.sum()


def test_the_ratio_has_the_error_that_scipys_paired_bootstrap_gives() -> None:
    tokens = np.random.default_rng(1).integers(5, 50, size=96)
    kl = tokens * np.random.default_rng(2).exponential(size=96)
    theirs = bootstrap(
        (kl, tokens),
        lambda x, t, axis: x.sum(axis) / t.sum(axis) * tokens.sum(),
        paired=True,
        n_resamples=20_000,
        method="percentile",
        rng=np.random.default_rng(3),
    )
    found = estimate(kl[None], tokens.astype(np.float64))
    assert found.stderr[0] == pytest.approx(theirs.standard_error, rel=0.03)


def test_a_caption_that_outweighs_all_others_gives_a_long_interval_with_an_end() -> None:
    alone = np.zeros(64)
    alone[3] = 1.0
    (found,) = uncertainties([alone]) or []
    assert found.ci95[0] == 0
    assert 3 < found.ci95[1] < 10


def test_units_do_not_matter() -> None:
    samples = np.random.default_rng(1).exponential(size=(3, 32))
    plain, tiny, huge = (uncertainties(list(samples * unit)) for unit in (1.0, 2.0**-900, 2.0**990))
    assert plain is not None
    assert tiny is not None
    assert huge is not None
    for one, small, large in zip(plain, tiny, huge, strict=True):
        assert small.ci95 == tuple(end * 2.0**-900 for end in one.ci95)
        assert large.ci95 == tuple(end * 2.0**990 for end in one.ci95)
        assert (small.rank_ci95, small.tie_band) == (large.rank_ci95, large.tie_band) == (one.rank_ci95, one.tie_band)


def test_the_same_samples_give_the_same_numbers() -> None:
    samples = list(np.random.default_rng(1).exponential(size=(4, 16)))
    first = uncertainties(samples)
    draws.cache_clear()
    assert uncertainties(samples) == first


def test_one_caption_has_no_spread() -> None:
    assert uncertainties([np.array([1.0]), np.array([2.0])]) is None
    assert kl_uncertainties([np.array([1.0]), np.array([2.0])], np.array([3]), [0.0, 0.0]) is None
    assert uncertainties([]) is None


def direct_bands(samples: Floats) -> list[int]:
    """Pair by pair: whose order is not settled share a band, and so do all that rank between them."""
    order = np.argsort(samples.sum(axis=1), kind="stable").tolist()
    differences = {
        (low, high): draws(samples.shape[1]) @ (samples[order[high]] - samples[order[low]])
        for low in range(len(order))
        for high in range(low + 1, len(order))
    }
    unsettled = [pair for pair, each in differences.items() if (each <= 1e-12).mean() > TAIL]
    bands = [1] * len(order)
    for boundary in range(1, len(order)):
        joined = any(low < boundary <= high for low, high in unsettled)
        bands[order[boundary]] = bands[order[boundary - 1]] + (not joined)
    return bands


@given(st.integers(0, 1000), st.integers(2, 12), st.sampled_from([4, 16, 64]), st.floats(0, 1))
def test_bands_are_those_of_the_definition(seed: int, groups: int, captions: int, shared: float) -> None:
    random = np.random.default_rng(seed)
    common = random.exponential(size=captions)
    samples = (1 + 0.3 * np.arange(groups))[:, None] * (
        shared * common + (1 - shared) * random.exponential(size=(groups, captions))
    )
    samples = samples[random.permutation(groups)]
    found = uncertainties(list(samples))
    assert found is not None
    assert [each.tie_band for each in found] == direct_bands(samples)


@given(SAMPLES)
def test_bands_follow_the_ranks_without_a_gap(samples: Floats) -> None:
    totals = sums(samples)
    bands = tie_bands(totals, resampled_means(samples))
    steps = np.diff(bands[np.argsort(totals, kind="stable")])
    assert bands.min() == 1
    assert set(steps.tolist()) <= {0, 1}


def test_bands_come_from_the_paired_difference() -> None:
    """Captions that are hard for all groups alike do not hide that one group always scores a little more."""
    common = np.random.default_rng(1).exponential(size=64)
    paired = uncertainties([common, 1.02 * common, 1.02 * common])
    shuffled = uncertainties([common, 1.02 * common[::-1]])
    assert paired is not None
    assert shuffled is not None
    assert [each.tie_band for each in paired] == [1, 2, 2]
    assert [each.tie_band for each in shuffled] == [1, 1]


def test_a_band_reaches_over_what_ranks_between() -> None:
    """A noisy group is not settled against the last, so the second, which is, shares their band."""
    noise = np.where(np.arange(64) % 2, 4.0, 0.0)
    found = uncertainties([noise * 0.999, np.full(64, 2.0), np.full(64, 2.01)])
    assert found is not None
    assert [each.tie_band for each in found] == [1, 1, 1]
    without = uncertainties([np.full(64, 2.0), np.full(64, 2.01)])
    assert without is not None
    assert [each.tie_band for each in without] == [1, 2]


def test_rounding_settles_no_order() -> None:
    samples = np.random.default_rng(1).exponential(size=16)
    found = uncertainties([samples, (1 + 1e-14) * samples])
    assert found is not None
    assert [each.tie_band for each in found] == [1, 1]


def test_rank_intervals_hold_95_of_100_resamples() -> None:
    """Of 1,000 ranks in order, 25 are left out at either end."""
    samples = np.random.default_rng(1).exponential(size=(30, 16)) * (1 + 0.02 * np.arange(30))[:, None]
    found = uncertainties(list(samples))
    assert found is not None
    resampled = np.sort([rankdata(means, method="ordinal") for means in draws(16) @ samples.T], axis=0)
    assert len(resampled) == 1000
    expected = list(zip(resampled[25].tolist(), resampled[-26].tolist(), strict=True))
    own = rankdata(samples.sum(axis=1), method="ordinal").tolist()
    assert [each.rank_ci95 for each in found] == [
        (min(low, rank), max(high, rank)) for (low, high), rank in zip(expected, own, strict=True)
    ]


def test_what_captions_cannot_tell_widens_the_interval_on_both_sides_and_the_error() -> None:
    random = np.random.default_rng(7)
    samples = [random.gamma(2.0, size=64) for _ in range(2)]
    tokens = np.full(64, 10)
    (narrow, same), (_, wide) = (kl_uncertainties(samples, tokens, [0.0, each]) or [] for each in (0.0, 0.2))
    total = samples[1].sum()
    assert same.ci95[0] > wide.ci95[0] > 0
    assert same.ci95[1] < wide.ci95[1]
    assert wide.stderr == pytest.approx(np.hypot(same.stderr, 0.2 * total))
    # Where the captions leave nothing open, it is a normal interval of the logarithm.
    (flat,) = kl_uncertainties([np.full(64, 1.0)], tokens, [0.2]) or []
    assert flat.ci95 == pytest.approx((64 * np.exp(-1.96 * 0.2), 64 * np.exp(1.96 * 0.2)), rel=1e-4)
    assert narrow.ci95[0] < samples[0].sum() < narrow.ci95[1]


def test_a_group_that_costs_nothing_has_an_interval_of_nothing() -> None:
    (found,) = kl_uncertainties([np.zeros(8)], np.full(8, 3), [0.3]) or []
    assert (found.stderr, found.ci95) == (0.0, (0.0, 0.0))


def test_what_totals_may_be_off_beside_the_captions_widens_intervals_and_ranks_and_joins_bands() -> None:
    """Three groups, far apart by their captions alone."""
    noise = np.random.default_rng(3).exponential(size=64)
    groups = [(4.0 + noise) * factor for factor in (1.0, 1.5, 8.0)]
    sure, nothing, spread = (uncertainties(groups, each) or [] for each in (None, [0.0] * 3, [0.4, 0.4, 0.0]))
    assert nothing == sure
    assert [each.tie_band for each in sure] == [1, 2, 3]
    assert [each.tie_band for each in spread] == [1, 1, 2]
    assert [each.rank_ci95 for each in spread] == [(1, 2), (1, 2), (3, 3)]
    for wide, narrow, total in zip(spread[:2], sure[:2], sums(np.stack(groups)), strict=False):
        assert wide.stderr == pytest.approx(np.hypot(narrow.stderr, 0.4 * total))
        assert wide.ci95[0] == pytest.approx(total * np.exp(-1.96 * 0.4), rel=0.02)
        assert wide.ci95[1] == pytest.approx(total * np.exp(1.96 * 0.4), rel=0.02)
    assert (spread[2].stderr, spread[2].ci95) == (sure[2].stderr, sure[2].ci95)
