"""From a suite to tests: the parameters of a test function, and the order of the cases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auto_quantize_model.errors import InputError
from auto_quantize_model.plugin.loadgroup import group_marks
from auto_quantize_model.plugin.suites import CASE, SuiteCase, case_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from _pytest.mark.structures import ParameterSet

    from auto_quantize_model.cases.suite import Suite
    from auto_quantize_model.plugin.suites import Suites

BASELINE = "sensitivity_baseline"
PAIR = "sensitivity_pair"
RECIPE = "sensitivity_recipe"


def parametrize(metafunc: pytest.Metafunc, suites: Suites) -> None:
    """Give a test function one parameter a case, a committed baseline, a pair or a recipe, as it asks."""
    asked = [name for name in (CASE, BASELINE, PAIR, RECIPE) if name in metafunc.fixturenames]
    if not asked:
        return
    if len(asked) > 1:
        name = metafunc.function.__name__
        raise pytest.Collector.CollectError(f"{name}: asks for {' and '.join(asked)}; a test has one of them")
    try:
        suite = suites.of(metafunc.definition.path)
    except InputError as error:
        # Not a usage error: that would crash a worker of pytest-xdist.
        raise pytest.Collector.CollectError(str(error)) from None
    if CASE in asked:
        metafunc.parametrize(CASE, _case_parameters(suite, metafunc.config), indirect=True)
    if BASELINE in asked:
        metafunc.parametrize(BASELINE, _baseline_parameters(suite), indirect=True)
    if PAIR in asked:
        metafunc.parametrize(PAIR, suite.pairs, indirect=True, ids=[pair.name for pair in suite.pairs])
    if RECIPE in asked:
        metafunc.parametrize(RECIPE, _recipe_parameters(suite), indirect=True)


def _recipe_parameters(suite: Suite) -> list[ParameterSet]:
    if not suite.recipes:
        return [pytest.param(None, id="none", marks=pytest.mark.skip(reason="the suite guards no recipe"))]
    return [pytest.param((suite, recipe), id=recipe.id) for recipe in suite.recipes]


def _case_parameters(suite: Suite, config: pytest.Config) -> list[ParameterSet]:
    return [
        pytest.param(suite_case, id=suite_case.case.id, marks=[pytest.mark.gpu, *group_marks(suite_case, config)])
        for suite_case in (SuiteCase(suite, case) for case in suite.cases)
    ]


def _baseline_parameters(suite: Suite) -> list[ParameterSet]:
    """The cases for which anything is committed, even if only a part of it."""
    from auto_quantize_model.baselines.store import has_baseline

    published = [case for case in suite.cases if has_baseline(case)]
    if not published:
        return [pytest.param(None, id="none", marks=pytest.mark.skip(reason="no baseline is published yet"))]
    return [pytest.param(SuiteCase(suite, case), id=case.id) for case in published]


def by_model(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The same tests, with those that share a pass next to each other; other tests keep their places."""
    passes: dict[str, list[pytest.Item]] = {}
    places = []
    for index, item in enumerate(items):
        suite_case = case_of(item)
        if suite_case is not None:
            places.append(index)
            passes.setdefault(suite_case.group, []).append(item)
    ordered = list(items)
    for index, item in zip(places, (item for tests in passes.values() for item in tests), strict=True):
        ordered[index] = item
    return ordered
