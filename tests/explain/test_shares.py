from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_quantize_model.explain.reruns import combinations
from auto_quantize_model.explain.shares import Shares, split_drift

GROUPS = ("q", "o", "gate")


def scores(*values: float) -> dict[str, float]:
    return dict(zip(GROUPS, values, strict=True))


def by_causes(shares: Shares) -> dict[tuple[str, ...], float | None]:
    return {part.causes: part.share for part in shares.parts}


def test_one_cause_has_it_all() -> None:
    runs = {frozenset[str](): scores(4, 2, 1), frozenset({"a"}): scores(1, 3, 1)}
    shares = split_drift(["a"], scores(1, 3, 1), runs)
    assert by_causes(shares) == {("a",): pytest.approx(1)}
    assert shares.residual.share == pytest.approx(0)
    assert shares.missed == 0


def test_groups_that_rise_do_not_cancel_groups_that_fall() -> None:
    runs = {frozenset[str](): scores(2, 1, 1), frozenset({"a"}): scores(1, 2, 1), frozenset({"b"}): scores(2, 1, 1)}
    shares = split_drift(["a", "b"], scores(1, 2, 1), {**runs, frozenset({"a", "b"}): scores(1, 2, 1)})
    assert shares.parts[0].total == 0
    assert by_causes(shares) == {("a",): pytest.approx(1), ("b",): 0, ("a", "b"): 0}


def test_causes_that_multiply_have_an_interaction() -> None:
    now = np.array([3.0, 2.0, 1.0])
    runs = {
        frozenset(each): scores(*(now * np.prod([{"a": 2, "b": 5}[name] for name in each])))
        for count in range(3)
        for each in itertools.combinations("ab", count)
    }
    shares = split_drift(["a", "b"], scores(*(now * 10)), runs)
    # From 10 down to 1: one cause undoes 1, the other 4, and 4 of the 9 need both.
    assert by_causes(shares) == pytest.approx({("a",): 1 / 9, ("b",): 4 / 9, ("a", "b"): 4 / 9})
    assert shares.missed == pytest.approx(0)


def test_what_nothing_undoes_is_the_residual() -> None:
    shares = split_drift([], scores(1, 2, 3), {frozenset(): scores(2, 4, 6)})
    assert shares.parts == ()
    assert shares.residual.share == pytest.approx(1)
    assert shares.missed == pytest.approx(1)


def test_a_miss_across_the_drift_is_no_explanation() -> None:
    runs = {frozenset[str](): scores(2, 1, 1), frozenset({"a"}): scores(1, 1, 1)}
    shares = split_drift(["a"], scores(1, 1, 1.5), runs)
    assert shares.missed == pytest.approx(0.5 / np.hypot(1, 0.5))


def test_without_a_drift_there_are_no_shares() -> None:
    runs = {frozenset[str](): scores(1, 2, 3), frozenset({"a"}): scores(1, 2, 3)}
    shares = split_drift(["a"], scores(1, 2, 3), runs)
    assert by_causes(shares) == {("a",): None}
    assert (shares.residual.share, shares.missed) == (None, 0)


def test_a_group_that_one_run_lacks_is_left_out() -> None:
    runs = {frozenset[str](): scores(1, 2, 3), frozenset({"a"}): {"q": 1.0, "gate": 2.0}}
    assert split_drift(["a"], scores(1, 2, 2), runs).groups == ("q", "gate")


def test_few_causes_are_run_in_every_combination_and_many_alone_and_together() -> None:
    assert [len(combinations(["a", "b", "c", "d"][:count])) for count in range(5)] == [1, 2, 4, 8, 6]


@given(st.integers(0, 5), st.data())
def test_the_parts_add_up_to_the_drift(count: int, data: st.DataObject) -> None:
    causes = list("abcde"[:count])
    score = st.floats(0, 1e200)
    runs = {
        each: dict(zip(GROUPS, data.draw(st.tuples(score, score, score)), strict=True)) for each in combinations(causes)
    }
    old = dict(zip(GROUPS, data.draw(st.tuples(score, score, score)), strict=True))
    shares = split_drift(causes, old, runs)
    largest = max(old.values(), default=0) + sum(max(run.values()) for run in runs.values())
    together = sum((part.effect for part in shares.parts), shares.residual.effect)
    assert together == pytest.approx(shares.new - shares.old, abs=1e-12 * largest)
    drift = np.abs(shares.new - shares.old).max()
    if drift > 1e-3 * largest:
        total = sum(part.share or 0 for part in shares.parts) + (shares.residual.share or 0)
        assert total == pytest.approx(1, abs=1e-6)
    assert all(np.isfinite(part.share) for part in (*shares.parts, shares.residual) if part.share is not None)
