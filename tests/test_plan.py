from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.places import SUITE

from auto_quantize_model import InputError, load_suite
from auto_quantize_model.plan import BatchRange, batch_ranges, format_key, plan_passes, scored_count

if TYPE_CHECKING:
    from pathlib import Path

    from auto_quantize_model import Case


def cases_with(*overrides: str) -> tuple[Case, ...]:
    return load_suite(SUITE, overrides=["suite.models=[qwen3_vl_tiny]", *overrides]).cases


@given(st.integers(1, 600), st.integers(1, 40))
def test_batches_cover_every_caption_once_in_order(samples: int, batch_size: int) -> None:
    ranges = batch_ranges(samples, batch_size)
    assert [index for each in ranges for index in range(each.start, each.stop)] == list(range(samples))
    assert all(each.stop - each.start == batch_size for each in ranges[:-1])


@given(st.integers(1, 64), st.integers(1, 600), st.integers(1, 40))
def test_at_least_one_batch_is_scored_and_never_more_than_there_are(batches: int, size: int, batch_size: int) -> None:
    count = scored_count(batches, size, batch_size)
    assert 1 <= count <= batches
    assert count == batches or count == max(size // batch_size, 1)


def test_full_batches_are_shared_by_all_sizes() -> None:
    (plan,) = plan_passes(cases_with())
    assert len(plan.batches) == 64
    assert len(plan.captions) == 512
    small, medium, large = plan.sizes.values()
    assert (small.calibrated, small.scored) == ((0, 1), (0, 1))
    assert (medium.calibrated, medium.scored) == (tuple(range(16)), tuple(range(16)))
    assert (large.calibrated, large.scored) == (tuple(range(64)), tuple(range(16)))
    assert [small.scored_samples, medium.scored_samples, large.scored_samples] == [16, 128, 128]


def test_a_size_that_ends_within_a_batch_has_that_batch_to_itself() -> None:
    (plan,) = plan_passes(cases_with("autoquant.batch_size=32", "suite.sizes=[small, medium]"))
    assert plan.batches[:2] == (BatchRange(0, 16), BatchRange(0, 32))
    small, medium = plan.sizes.values()
    assert small.calibrated == (0,)
    assert medium.calibrated == (1, 2, 3, 4)
    assert plan.scored == (0, 1, 2, 3, 4)


def test_cases_with_other_settings_make_another_pass() -> None:
    cases = (*cases_with(), *cases_with("autoquant.batch_size=4"))
    assert [plan.cases[0].autoquant.batch_size for plan in plan_passes(cases)] == [8, 4]


def test_cases_that_differ_in_their_format_and_sample_counts_alone_share_a_pass() -> None:
    small = "suite.sizes=[small]"
    changed = ("quant_pair.format=INT8_DEFAULT_CFG", "dataset.max_calib_samples=12", "autoquant.score_size=8")
    (plan,) = plan_passes((*cases_with(small)[:1], *cases_with(small, *changed)[:1]))
    usual, other = (plan.size_of(case) for case in plan.cases)
    assert plan.batches == (BatchRange(0, 8), BatchRange(8, 12), BatchRange(8, 16))
    assert (usual.samples, usual.calibrated, usual.scored) == (16, (0, 2), (0, 2))
    assert (other.samples, other.calibrated, other.scored) == (12, (0, 1), (0,))
    assert len({format_key(case) for case in plan.cases}) == 2


def test_too_few_captions_say_how_many_there_are() -> None:
    cases = cases_with("dataset.size_to_max_samples={small: 16, medium: 128, large: 600}")
    with pytest.raises(
        InputError, match=r"embedded_captions_large\.txt: size 'large' needs 600 captions, but the file has 512"
    ):
        plan_passes(cases)


def test_a_size_that_is_no_prefix_of_the_next_is_refused(tmp_path: Path) -> None:
    for size, count in (("small", 16), ("medium", 128), ("large", 512)):
        lines = [f"A {'cat' if size == 'small' and i == 4 else 'dog'} number {i}." for i in range(count)]
        (tmp_path / f"own_{size}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    cases = cases_with(f"dataset.root={tmp_path}", "dataset.captions_path=own_{size}.txt")
    with pytest.raises(InputError, match=r"own_small\.txt: caption 5 differs from that of .*own_large\.txt"):
        plan_passes(cases)
