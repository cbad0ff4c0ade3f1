from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.stats import norm, spearmanr

from auto_quantize_model.statistics.bootstrap import sums
from auto_quantize_model.statistics.sufficiency import TopTen, convergence, top_ten
from auto_quantize_model.statistics.uncertainty import uncertainties

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ANY_FLOAT = st.floats(0, allow_infinity=False) | st.sampled_from([0.0, 5e-324, 1.0, 1e300, 1.7976931348623157e308])
SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=20)


def top_ten_of(samples: Floats) -> TopTen:
    found = uncertainties(list(samples))
    assert found is not None
    return top_ten(list(samples), sums(samples), np.array([each.tie_band for each in found]))


@given(arrays(np.float64, SHAPES, elements=ANY_FLOAT))
def test_all_of_it_is_plain_json_whatever_the_numbers(samples: Floats) -> None:
    tokens = np.full(samples.shape[1], 9)
    rows = [dataclasses.asdict(each) for each in convergence(list(samples), list(samples), tokens)]
    answer = dataclasses.asdict(top_ten_of(samples))
    assert json.loads(json.dumps([rows, answer], allow_nan=False)) == json.loads(json.dumps([rows, answer]))
    assert rows[-1]["samples"] == samples.shape[1]
    assert rows[-1]["score"] == {"median": 0.0, "maximum": 0.0}
    assert rows[-1]["top_ten_kept"] == min(10, len(samples))
    assert all(row["spearman"] is None or -1 <= row["spearman"] <= 1 for row in rows)
    assert answer["captions_needed"] is None or ((answer["captions_needed"] <= samples.shape[1]) == answer["settled"])


def test_prefixes_double_up_to_all() -> None:
    def lengths(count: int) -> list[int]:
        ones = [np.ones(count)]
        return [each.samples for each in convergence(ones, ones, np.ones(count, dtype=np.int64))]

    assert lengths(128) == [8, 16, 32, 64, 128]
    assert lengths(100) == [8, 16, 32, 64, 100]
    assert lengths(13) == [8, 13]
    assert lengths(8) == [8]
    assert lengths(5) == [5]


def test_a_prefix_is_compared_as_a_mean_per_caption_and_per_token() -> None:
    """Twelve groups; in the first half of the captions the last counts nothing, and captions are twice as long."""
    samples = np.arange(1.0, 13)[:, None] * np.ones(16)
    samples[-1, :8] = 0
    tokens = np.repeat([20, 10], 8)
    first, whole = convergence(list(samples), list(samples * tokens), tokens)
    # The last group's score per caption is 0 for 6; all others are as they stay.
    assert (first.score.median, first.score.maximum) == (0, 1)
    assert first.predicted_kl is not None
    assert first.predicted_kl.median == pytest.approx(0)
    assert first.predicted_kl.maximum == 1
    assert first.spearman == pytest.approx(spearmanr([*range(1, 12), 0], [*range(1, 12), 6]).statistic)
    assert first.top_ten_kept == 9
    assert (whole.score.maximum, whole.spearman, whole.top_ten_kept) == (0, 1, 10)


def test_half_the_captions_with_twice_the_score_are_a_third_too_much() -> None:
    samples = np.repeat([2.0, 1.0], 8)
    first, _ = convergence([samples], [samples], np.full(16, 5))
    assert first.score.maximum == pytest.approx(1 / 3)
    assert first.predicted_kl is not None
    assert first.predicted_kl.maximum == pytest.approx(1 / 3)
    assert first.spearman is None


def test_captions_without_tokens_say_nothing_of_the_predicted_kl() -> None:
    tokens = np.repeat([0, 5], 8)
    first, whole = convergence([np.ones(16)], [tokens / 40], tokens)
    assert first.predicted_kl is None
    assert whole.predicted_kl is not None


def test_ten_groups_are_all_in_the_top_ten() -> None:
    found = top_ten_of(np.ones((10, 16)))
    assert (found.settled, found.captions_needed, found.between) == (True, None, None)
    assert found.reason is not None


@pytest.mark.parametrize("rounding", [0.0, np.inf])
def test_no_number_of_captions_parts_groups_that_are_equal_to_rounding(rounding: float) -> None:
    samples = np.random.default_rng(1).exponential(size=(12, 32)) * 4.0 ** np.arange(12)[:, None]
    samples[1] = np.nextafter(samples[2], rounding) if rounding else samples[2]
    found = top_ten_of(samples)
    assert not found.settled
    assert found.captions_needed is None
    assert found.reason is not None
    assert found.between is not None
    assert set(found.between) == {1, 2}


def eleven(captions: int, gap: float, seed: int) -> Floats:
    """Ten groups far above, and one that is below the least of them by a gap with a normal paired difference."""
    random = np.random.default_rng(seed)
    samples: Floats = np.full((11, captions), 100.0) + np.arange(11.0)[:, None]
    samples[1] = samples[0] + gap + random.normal(size=captions)
    return samples


def test_the_number_of_captions_settles_the_top_ten_in_a_simulation() -> None:
    """With the number named, half of new samples settle it at 95 %; with a quarter few, with four times all."""
    population = eleven(200_000, 0.25, 1)
    sample = population[:, :40]
    sample[1] += sample[0].mean() + 0.25 - sample[1].mean()  # as if the sample's mean were the truth
    sample[1] = sample[0] + 0.25 + (sample[1] - sample[1].mean()) / sample[1].std(ddof=1)
    found = top_ten_of(sample)
    assert not found.settled
    assert found.captions_needed == int(np.ceil((norm.ppf(0.975) / 0.25) ** 2)) == 62
    assert found.between == (1, 0)
    differences = population[1] - population[0]

    def settled(captions: int) -> float:
        means = np.array_split(differences, len(differences) // captions)
        z = [each.mean() / (each.std(ddof=1) / np.sqrt(len(each))) for each in means]
        return float((np.array(z) > norm.ppf(0.975)).mean())

    assert settled(found.captions_needed // 4) < 0.2
    assert settled(found.captions_needed) == pytest.approx(0.5, abs=0.05)
    assert settled(found.captions_needed * 4) > 0.95


def test_more_captions_do_settle_what_fewer_did_not() -> None:
    needed = top_ten_of(eleven(40, 0.2, 3)).captions_needed
    assert needed is not None
    assert needed > 40
    assert top_ten_of(eleven(4 * needed, 0.2, 3)).settled


def test_a_noisier_group_further_off_may_take_most_captions() -> None:
    samples = np.full((12, 64), 100.0) + 10.0 * np.arange(12.0)[:, None]
    samples[1] += np.where(np.arange(64) % 2, 1.0, -1.0)
    samples[0] += np.where(np.arange(64) % 2, 80.0, -80.0)
    found = top_ten_of(samples)
    assert found.between == (2, 0)
    assert not found.settled
    expected = (norm.ppf(0.975) * (samples[0] - samples[2]).std(ddof=1) / 20) ** 2
    assert found.captions_needed == max(int(np.ceil(expected)), 65)
