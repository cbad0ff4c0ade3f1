"""The predicted KL of groups: what is common to them lowers the noise, and what is a group's own stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_quantize_model.statistics.predicted_kl import caption_kl, predicted_kl

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PROBES, CAPTIONS, ROWS, GROUPS = 2, 16, 12, 40


def seen(correlation: Floats, seed: int) -> tuple[list[Floats], list[Floats], Floats]:
    """Rows whose errors have something in common, group by group, and what each group really costs."""
    random = np.random.default_rng(seed)
    scale = np.exp(random.normal(size=GROUPS))
    rows = random.normal(size=(GROUPS, PROBES, CAPTIONS, ROWS))
    of_caption = random.normal(size=(GROUPS, PROBES, CAPTIONS, 1))
    shared = correlation[:, None, None, None]
    rows = (np.sqrt(1 - shared) * rows + np.sqrt(shared) * of_caption) * np.sqrt(scale)[:, None, None, None]
    truth = 0.5 * scale * CAPTIONS * ROWS * (1 + (ROWS - 1) * correlation)
    return list(rows.sum(axis=3)), list((0.5 * np.square(rows).mean(axis=1)).sum(axis=2)), truth


def spread(found: Floats, truth: Floats) -> float:
    return float(np.log(found / truth).std())


def totals(values: list[Floats]) -> Floats:
    return np.array([each.sum() for each in values])


@pytest.mark.parametrize("correlation", [0.0, 0.1])
def test_groups_that_have_all_in_common_are_told_apart_by_their_rows(correlation: float) -> None:
    signed, by_row, truth = seen(np.full(GROUPS, correlation), 0)
    found = totals(predicted_kl(signed, by_row).by_caption)
    alone = totals([caption_kl(each) for each in signed])
    assert spread(found, truth) < spread(alone, truth) / 2
    # What is common to all is in the mean: rows alone would be right with no correlation only.
    assert np.median(found / truth) == pytest.approx(1, abs=0.1)
    if correlation:
        assert np.median(totals(by_row) / truth) < 0.6


def test_what_is_a_groups_own_is_not_lost_in_the_mean() -> None:
    correlation = np.where(np.arange(GROUPS) % 2, 0.0, 0.8)
    signed, by_row, truth = seen(correlation, 1)
    found = totals(predicted_kl(signed, by_row).by_caption)
    assert spread(found, truth) < spread(totals(by_row), truth) / 3
    assert spread(found, truth) < spread(totals([caption_kl(each) for each in signed]), truth) * 1.05


def test_captions_add_up_and_are_never_negative() -> None:
    signed, by_row, _ = seen(np.full(GROUPS, 0.1), 2)
    for values in predicted_kl(signed, by_row).by_caption:
        assert values.shape == (CAPTIONS,)
        assert (values >= 0).all()


@given(st.floats(1e-30, 1e30), st.integers(0, 1000))
def test_units_and_the_order_of_groups_do_not_matter(unit: float, seed: int) -> None:
    signed, by_row, _ = seen(np.full(GROUPS, 0.1), seed)
    found = np.stack(predicted_kl(signed, by_row).by_caption)
    scaled = predicted_kl([each * np.sqrt(unit) for each in signed], [each * unit for each in by_row])
    assert np.stack(scaled.by_caption) == pytest.approx(found * unit)
    backwards = predicted_kl(signed[::-1], by_row[::-1])
    assert np.stack(backwards.by_caption[::-1]) == pytest.approx(found)


@pytest.mark.parametrize("groups", [0, 1])
def test_without_others_a_group_is_what_its_captions_say(groups: int) -> None:
    signed, by_row, _ = seen(np.zeros(GROUPS), 3)
    found = predicted_kl(signed[:groups], by_row[:groups])
    assert found.log_spread == 0
    assert [each.tolist() for each in found.by_caption] == [caption_kl(each).tolist() for each in signed[:groups]]


def test_one_caption_has_no_noise_to_know_of() -> None:
    signed, by_row, _ = seen(np.zeros(GROUPS), 3)
    found = predicted_kl([each[:, :1] for each in signed], [each[:1] for each in by_row])
    assert found.by_caption[0].tolist() == caption_kl(signed[0][:, :1]).tolist()


def test_groups_without_an_error_stay_without_and_touch_no_other() -> None:
    signed, by_row, _ = seen(np.zeros(GROUPS), 4)
    rest = predicted_kl(signed[1:], by_row[1:]).by_caption
    signed[0], by_row[0] = np.zeros_like(signed[0]), np.zeros_like(by_row[0])
    found = predicted_kl(signed, by_row).by_caption
    assert not found[0].any()
    assert np.stack(found[1:]).tolist() == np.stack(rest).tolist()


def test_groups_that_are_all_alike_keep_their_common_difference() -> None:
    signed = [np.ones((PROBES, CAPTIONS))] * 3
    found = predicted_kl(signed, [np.full(CAPTIONS, 0.25)] * 3)
    assert np.stack(found.by_caption) == pytest.approx(0.5)
    assert found.log_spread == 0


def test_what_is_left_open_of_a_groups_own_is_said() -> None:
    """Groups that differ more are told apart less surely by their rows; where they do not, nothing is left open."""
    alike, other = (
        predicted_kl(*seen(np.where(np.arange(GROUPS) % 2, 0.0, correlation), 5)[:2]).log_spread
        for correlation in (0.0, 0.2)
    )
    assert alike < 0.1 < other
