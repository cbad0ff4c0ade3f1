"""What differs between two documents, leaf by leaf."""

from __future__ import annotations

from typing import Any

import pytest

from auto_quantize_model.comparison.differences import ABSENT, Absent, Difference, differences


def found(old: Any, new: Any) -> list[tuple[str, Any, Any]]:
    return [(each.key, each.old, each.new) for each in differences("a", old, new)]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (1, 1.0, []),
        (1, True, [("a", 1, True)]),
        ([1, 2], [1, 2], []),
        ([1, 2], [1, 3], [("a", [1, 2], [1, 3])]),
        ({"b": 1}, {"c": 1}, [("a.b", 1, ABSENT), ("a.c", ABSENT, 1)]),
        ([{"b": 1}], [{"b": 2}, {"b": 3}], [("a[0].b", 1, 2), ("a[1]", ABSENT, {"b": 3})]),
        ([[1], 2], [[1], 3], [("a[1]", 2, 3)]),
        ({}, [], [("a", {}, [])]),
    ],
)
def test_each_leaf_that_differs_is_named(old: Any, new: Any, expected: list[tuple[str, Any, Any]]) -> None:
    assert found(old, new) == expected


def test_the_shallow_ones_come_first_whichever_side_is_deep() -> None:
    old = {"deep": {"x": 1}, "was": {"y": 1}, "becomes": 1, "flat": 1}
    new = {"deep": {"x": 2}, "was": 2, "becomes": {"z": 1}, "flat": 2}
    assert [key for key, _, _ in found(old, new)] == ["a.flat", "a.deep.x", "a.was", "a.becomes"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [("x", '"x"'), ("ü", '"ü"'), (None, "null"), ({}, "{}"), ({"b": 1}, "{...}"), (ABSENT, Absent.ABSENT.value)],
)
def test_values_are_shown_as_json(value: Any, shown: str) -> None:
    assert str(Difference("a", value, 1)) == f"a: {shown} -> 1"
