"""Budgets in every unit, by arithmetic that anyone can follow."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from tests.recipes.committed import files

from auto_quantize_model import InputError, Recipe, solve_recipe
from auto_quantize_model.manifest.document import read_manifest
from auto_quantize_model.recipes.budget import Budget
from auto_quantize_model.recipes.candidates import Candidates, Part, Source, candidates


@pytest.fixture(scope="module")
def cheapest() -> Recipe:
    """All groups in the fewest bits."""
    return solve_recipe(files(), budget=4.5)


def choice() -> Candidates:
    """1,000 parameters; 600 are scored, a hundred of which count for half."""
    return Candidates(
        parts=(Part(("a",), ("a",), 500, 500.0), Part(("b",), ("b",), 100, 50.0)),
        sources=(),
        predicted=np.zeros((2, 1)),
        bits=np.array([16.0]),
        stored=np.array([16.0]),
        parameters=1000,
    )


@pytest.mark.parametrize(
    ("budget", "bits"),
    [
        (Budget("bits", 6.0), 6 * 550),
        (Budget("gigabytes", 1.6e-6), 1.6e-6 * 8e9 - 400 * 16),
        (Budget("share", 0.7), 0.7 * 16_000 - 400 * 16),
        (Budget("max_kl", 0.1), math.inf),
    ],
)
def test_a_limit_in_bits_and_back(budget: Budget, bits: float) -> None:
    assert budget.in_bits(choice()) == pytest.approx(bits)
    if math.isfinite(bits):
        assert budget.from_bits(choice(), bits) == pytest.approx(budget.value)


@pytest.mark.parametrize("unit", ["bits", "gigabytes", "share"])
def test_the_least_that_is_named_is_the_least_that_there_is(unit: str, cheapest: Recipe) -> None:
    with pytest.raises(InputError, match="below the least") as caught:
        solve_recipe(files(), budget={unit: 1e-4})
    (named,) = re.findall(r"which is ([\d.e-]+)", str(caught.value))
    least = float(named)
    allowed = solve_recipe(files(), budget={unit: least * 1.001})
    assert allowed.solved.totals.effective_bits == pytest.approx(4.5, abs=0.05)
    with pytest.raises(InputError, match="below the least"):
        solve_recipe(files(), budget={unit: least * 0.99})
    totals = cheapest.solved.totals
    of_all = totals.gigabytes * 8e9 / (cheapest.choice.parameters * 16)
    expected = {"bits": 4.5, "gigabytes": totals.gigabytes, "share": of_all}[unit]
    assert least == pytest.approx(expected, rel=1e-3)


def test_a_weight_that_counts_for_less_costs_less() -> None:
    manifests = [read_manifest(file) for file in files()]
    for manifest in manifests:
        first, second = list(manifest["layer_sensitivity"].values())[:2]
        first["cost_weight"] = 0.25
        weights = [entry["costs"][-1] for entry in (first, second)]
    parts = candidates([Source(each, None, "here") for each in manifests]).parts
    assert [part.cost for part in parts[:2]] == [0.25 * weights[0], weights[1]]
    assert parts[0].weights == weights[0]
