"""What a committed recipe is held to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.places import SUITE

from auto_quantize_model import load_suite
from auto_quantize_model.recipes.guarding import committed, drift, solve_committed

if TYPE_CHECKING:
    from auto_quantize_model import Recipe
    from auto_quantize_model.cases.suite import RecipeCase


@pytest.fixture(scope="module")
def guarded() -> tuple[RecipeCase, Recipe]:
    case = next(each for each in load_suite(SUITE).recipes if each.id.startswith("qwen3_vl_tiny"))
    return case, solve_committed(case)


def told(guarded: tuple[RecipeCase, Recipe], document: dict[str, Any]) -> list[str]:
    return [line for line in drift(*guarded, document) if line.startswith("recipe.json")]


def test_a_committed_recipe_is_what_the_manifests_give(guarded: tuple[RecipeCase, Recipe]) -> None:
    document = committed(guarded[0])
    assert document is not None
    assert list(drift(*guarded, document)) == []


@pytest.mark.parametrize("factor", [1 + 1e-4, 1 - 1e-4, 3.0])
@pytest.mark.parametrize("key", ["predicted_kl", "effective_bits", "gigabytes"])
def test_a_number_that_moves_is_told_and_one_that_is_rounded_otherwise_is_not(
    guarded: tuple[RecipeCase, Recipe], key: str, factor: float
) -> None:
    document = committed(guarded[0])
    assert document is not None
    own = document[key]
    document[key] = own * (1 + 1e-9)
    assert told(guarded, document) == []
    document[key] = own * factor
    assert told(guarded, document) == [f"recipe.json: {key} is {own * factor!r}, the manifests give {own!r}"]


def test_another_pair_and_another_cost_of_a_group_are_told(guarded: tuple[RecipeCase, Recipe]) -> None:
    document = committed(guarded[0])
    assert document is not None
    group, entry = next(iter(document["assignment"].items()))
    own = entry["pair"]
    entry["pair"] = "another"
    assert f"{group}: committed another, the manifests give {own}" in list(drift(*guarded, document))
    del document["assignment"][group]
    assert f"{group}: committed None, the manifests give {own}" in list(drift(*guarded, document))
