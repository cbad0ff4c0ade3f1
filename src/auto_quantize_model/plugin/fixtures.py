"""The fixtures; whatever is heavy is imported when one is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auto_quantize_model.plugin.failing import fail
from auto_quantize_model.plugin.record import CASE_RUN, PASSED
from auto_quantize_model.plugin.session import SESSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auto_quantize_model.cases.settings import PairSettings
    from auto_quantize_model.cases.suite import Suite
    from auto_quantize_model.plugin.baseline_check import BaselineCheck
    from auto_quantize_model.plugin.case_run import CaseRun


@pytest.fixture
def sensitivity_case(request: pytest.FixtureRequest) -> Iterator[CaseRun]:
    """One case of the suite beside the test file: its `manifest`, and checks of it. Parametrizes the test."""
    from auto_quantize_model.plugin.case_run import CaseRun

    run = CaseRun(request.param, request.config.stash[SESSION], request.path)
    request.node.stash[CASE_RUN] = run
    yield run
    if request.node.stash.get(PASSED, False):
        run.publish()


@pytest.fixture
def sensitivity_baseline(request: pytest.FixtureRequest) -> BaselineCheck:
    """One committed baseline of the suite beside the test file, and checks of it. Parametrizes the test."""
    from auto_quantize_model.plugin.baseline_check import BaselineCheck

    return BaselineCheck(request.param, request.config.stash[SESSION], request.path)


@pytest.fixture
def sensitivity_pair(request: pytest.FixtureRequest) -> PairSettings:
    """One precision pair of the suite beside the test file. Parametrizes the test."""
    pair: PairSettings = request.param
    return pair


@pytest.fixture
def sensitivity_suite(request: pytest.FixtureRequest) -> Suite:
    """The suite beside the test file."""
    from auto_quantize_model.errors import InputError

    try:
        return request.config.stash[SESSION].suites.of(request.path)
    except InputError as error:
        fail(str(error))
