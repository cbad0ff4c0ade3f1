from __future__ import annotations

import pytest
from captions.comparison import caption_statistics, compare_captions, table
from hypothesis import given
from hypothesis import strategies as st

DOGS = ["A dog on the grass.", "a dog on the beach", "Two cats"]


def test_statistics() -> None:
    found = caption_statistics(DOGS)
    assert found.lines == 3
    assert found.vocabulary == {"a", "dog", "on", "the", "grass", "beach", "two", "cats"}
    assert found.mean_length == pytest.approx(4)
    assert (found.shortest, found.longest) == (2, 5)
    assert found.deciles == (2, 2, 2, 5, 5, 5, 5, 5, 5)
    assert found.repeated_share == pytest.approx(1 / 3)  # "a dog on the" of three runs


def test_deciles_of_a_hundred_lengths() -> None:
    found = caption_statistics([" ".join(["w"] * length) for length in range(1, 101)])
    assert found.deciles == (10, 20, 30, 40, 50, 60, 70, 80, 90)


def test_covered_vocabulary() -> None:
    assert compare_captions(DOGS, ["A dog's two cats"]).covered == pytest.approx(3 / 4)
    assert compare_captions(["12"], ["34"]).covered == 0


@given(st.lists(st.text(max_size=30), min_size=1, max_size=5))
def test_captions_compared_with_themselves(captions: list[str]) -> None:
    comparison = compare_captions(captions, captions)
    assert comparison.a == comparison.b
    assert comparison.covered == (1 if comparison.a.vocabulary else 0)


def test_table() -> None:
    assert list(table(compare_captions(DOGS, ["Two dogs and a cat are here"]), "mine", "theirs")) == [
        "| | mine | theirs |",
        "| --- | --- | --- |",
        "| captions | 3 | 1 |",
        "| vocabulary | 8 | 7 |",
        "| words a caption, mean | 4.0 | 7.0 |",
        "| words a caption, shortest | 2 | 7 |",
        "| words a caption, longest | 5 | 7 |",
        "| words a caption, deciles | 2 2 2 5 5 5 5 5 5 | 7 7 7 7 7 7 7 7 7 |",
        "| 4-word runs that occur more than once | 33.3% | 0.0% |",
        "| share of the other's vocabulary covered | 28.6% | |",
    ]
