"""The fixtures; whatever is heavy is imported when one is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from auto_quantize_model.errors import InputError
from auto_quantize_model.plugin.failing import fail
from auto_quantize_model.plugin.session import SESSION

if TYPE_CHECKING:
    from auto_quantize_model.baselines.store import Baselines
    from auto_quantize_model.cases.settings import PairSettings
    from auto_quantize_model.cases.suite import Suite
    from auto_quantize_model.plugin.baseline_check import BaselineCheck
    from auto_quantize_model.plugin.case_run import CaseRun
    from auto_quantize_model.plugin.recipe_check import RecipeCheck


@pytest.fixture
def sensitivity_case(request: pytest.FixtureRequest) -> CaseRun:
    """One case of the suite beside the test file: its `manifest`, and checks of it. Parametrizes the test."""
    from auto_quantize_model.plugin.case_run import CASE_RUN

    run = request.config.stash[SESSION].case_run(_parameter(request))
    request.node.stash[CASE_RUN] = run
    return run


@pytest.fixture
def sensitivity_baseline(request: pytest.FixtureRequest) -> BaselineCheck:
    """One committed baseline of the suite beside the test file, and checks of it. Parametrizes the test."""
    return request.config.stash[SESSION].baseline_check(_parameter(request))


@pytest.fixture
def sensitivity_baselines(request: pytest.FixtureRequest) -> Baselines:
    """All committed baselines; the tests of a session share it, so that each file is read once."""
    return request.config.stash[SESSION].baselines


@pytest.fixture
def sensitivity_pair(request: pytest.FixtureRequest) -> PairSettings:
    """One precision pair of the suite beside the test file. Parametrizes the test."""
    pair: PairSettings = _parameter(request)
    return pair


@pytest.fixture
def sensitivity_recipe(request: pytest.FixtureRequest) -> RecipeCheck:
    """One recipe that the suite beside the test file guards, and checks of it. Parametrizes the test."""
    return request.config.stash[SESSION].recipe_check(*_parameter(request))


@pytest.fixture
def sensitivity_suite(request: pytest.FixtureRequest) -> Suite:
    """The suite beside the test file."""
    try:
        return request.config.stash[SESSION].suites.of(request.path)
    except InputError as error:
        fail(str(error))


def _parameter(request: pytest.FixtureRequest) -> Any:
    if not hasattr(request, "param"):
        fail(f"{request.fixturename} parametrizes a test that has it among its arguments; it cannot be asked for later")
    return request.param
