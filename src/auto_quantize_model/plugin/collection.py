"""From suites to tests: which suite a test file belongs to, its parameters, and the order of the cases."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

import pytest

from auto_quantize_model.errors import InputError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from _pytest.mark.structures import ParameterSet

    from auto_quantize_model.cases.suite import Case, Suite
    from auto_quantize_model.plugin.options import Options
    from auto_quantize_model.plugin.session import Session

CASE = "sensitivity_case"
BASELINE = "sensitivity_baseline"
PAIR = "sensitivity_pair"
SUITE_FILE = "suite.yaml"
_GROUP: pytest.StashKey[str] = pytest.StashKey()
"""Which tests `--dist loadgroup` keeps on one worker."""


@dataclasses.dataclass(frozen=True, slots=True)
class SuiteCase:
    """A case, and the suite that it is of."""

    suite: Suite
    case: Case

    @property
    def key(self) -> tuple[str, str]:
        """What tells this case from every other of the session."""
        return str(self.suite.path), self.case.id

    @property
    def group(self) -> str:
        """What the cases that share a pass have in common."""
        return f"{self.suite.path.parent}/{self.case.model.name}"


class Suites:
    """The suites of a session, each read once."""

    def __init__(self, root: Path, options: Options) -> None:
        """`root` is where the search for a test file's suite ends."""
        self.loaded: dict[Path, Suite] = {}
        self._root = root
        self._options = options

    def of(self, test_file: Path) -> Suite:
        """The suite of a test file: the `suite.yaml` beside it, or in the nearest folder above it."""
        for folder in test_file.parents:
            if (folder / SUITE_FILE).is_file():
                return self.load(folder / SUITE_FILE)
            if folder == self._root:
                break
        raise InputError(
            f"{test_file}: asks for the cases of a suite, but there is no {SUITE_FILE} beside it; "
            "write one there, for example with the line 'models: [my_model]'"
        )

    def load(self, file: Path) -> Suite:
        """Read a suite, or return it if it was read before."""
        from auto_quantize_model.cases.suite import load_suite

        if file not in self.loaded:
            suite = load_suite(file, self._options.models_root, self._options.overrides)
            self._check_model_paths(suite)
            self._check_output(suite)
            self._check_apart(suite)
            self.loaded[file] = suite
        return self.loaded[file]

    def _check_model_paths(self, suite: Suite) -> None:
        models = [model.name for model in suite.models]
        for name in self._options.model_paths:
            if name not in models:
                raise InputError(
                    f"--sensitivity-model-path: model '{name}' is not in {suite.path}; {nearest(name, models)}"
                )

    def _check_output(self, suite: Suite) -> None:
        output, models = self._options.output, suite.cases[0].models_root.resolve()
        if output is not None and output.resolve().is_relative_to(models):
            raise InputError(
                f"--sensitivity-output {output}: lies in the models tree, whose baselines a run would overwrite; "
                "name another folder, or use --publish"
            )

    def _check_apart(self, suite: Suite) -> None:
        """Artifacts and records go by the case's name, so no two suites of a session may share one."""
        mine = {case.id for case in suite.cases}
        for other in self.loaded.values():
            shared = next((case.id for case in other.cases if case.id in mine), None)
            if shared is not None:
                raise InputError(f"the case {shared} is in {other.path} and in {suite.path}: run the two suites apart")


def parametrize(metafunc: pytest.Metafunc, session: Session) -> None:
    """Give a test function one parameter a case, a committed baseline or a pair, as it asks."""
    asked = [name for name in (CASE, BASELINE, PAIR) if name in metafunc.fixturenames]
    if not asked:
        return
    if len(asked) > 1:
        name = metafunc.function.__name__
        raise pytest.Collector.CollectError(f"{name}: asks for {' and '.join(asked)}; a test has one of them")
    try:
        suite = session.suites.of(metafunc.definition.path)
    except InputError as error:
        # Not a usage error: that would crash a worker of pytest-xdist.
        raise pytest.Collector.CollectError(str(error)) from None
    if CASE in asked:
        metafunc.parametrize(CASE, _case_parameters(suite, metafunc.config), indirect=True)
    if BASELINE in asked:
        metafunc.parametrize(BASELINE, _baseline_parameters(suite), indirect=True)
    if PAIR in asked:
        metafunc.parametrize(PAIR, suite.pairs, indirect=True, ids=[pair.name for pair in suite.pairs])


def _case_parameters(suite: Suite, config: pytest.Config) -> list[ParameterSet]:
    distributed = config.pluginmanager.hasplugin("xdist")
    parameters = []
    for each in (SuiteCase(suite, case) for case in suite.cases):
        marks = [pytest.mark.gpu, *([pytest.mark.xdist_group(each.case.model.name)] if distributed else [])]
        parameters.append(pytest.param(each, id=each.case.id, marks=marks))
    return parameters


def _baseline_parameters(suite: Suite) -> list[ParameterSet]:
    """The cases for which anything is committed, even if only a part of it."""
    from auto_quantize_model.baselines.store import baseline_folder

    published = [case for case in suite.cases if baseline_folder(case).is_dir()]
    if not published:
        return [pytest.param(None, id="none", marks=pytest.mark.skip(reason="no baseline is published yet"))]
    return [pytest.param(SuiteCase(suite, case), id=case.id) for case in published]


def case_of(item: pytest.Item) -> SuiteCase | None:
    """The case that a test runs, if it runs one."""
    callspec = getattr(item, "callspec", None)
    found = callspec.params.get(CASE) if callspec is not None else None
    return found if isinstance(found, SuiteCase) else None


def cases_of(items: Iterable[pytest.Item]) -> list[SuiteCase]:
    """The cases that tests run, once for each test."""
    found = (case_of(item) for item in items)
    return [each for each in found if each is not None]


def take_groups_off(items: Iterable[pytest.Item]) -> None:
    """Take the groups of `--dist loadgroup` off the names of cases' tests: `--last-failed` knows them without."""
    for item in items:
        name, at, group = item.nodeid.rpartition("@")
        if at and "]" not in group and case_of(item) is not None:
            item.stash[_GROUP], item._nodeid = group, name


def put_groups_back(items: Iterable[pytest.Item]) -> None:
    """Put the groups back, for pytest-xdist to read."""
    for item in items:
        if _GROUP in item.stash:
            item._nodeid = f"{item.nodeid}@{item.stash[_GROUP]}"


def share_out(items: Iterable[pytest.Item], workers: int) -> None:
    """Split the groups of pytest-xdist that tests of one model are in, so that every worker has one."""
    groups: dict[str, dict[tuple[str, str], list[pytest.Item]]] = {}
    for item in items:
        each = case_of(item)
        if each is not None and _GROUP in item.stash:
            groups.setdefault(each.group, {}).setdefault(each.key, []).append(item)
    for place, cases in enumerate(groups.values()):
        shares = workers // len(groups) + (place < workers % len(groups))
        for number, tests in enumerate(cases.values()):
            for item in tests:
                if shares > 1:
                    item.stash[_GROUP] += f"-{number % shares}"


def without_group(nodeid: str) -> str:
    """The name of a case's test, should it be one, without the group; its case's name begins with the model's."""
    found = re.fullmatch(r"(.*\[(?:.*-)?([\w.-]+)-.*\])@\2(?:-\d+)?", nodeid)
    return nodeid if found is None else found[1]


def by_model(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The same tests, with those that share a pass next to each other; other tests keep their places."""
    places = [index for index, item in enumerate(items) if case_of(item) is not None]
    groups: dict[str, list[pytest.Item]] = {}
    for index in places:
        each = case_of(items[index])
        if each is not None:
            groups.setdefault(each.group, []).append(items[index])
    ordered = list(items)
    for index, item in zip(places, (item for group in groups.values() for item in group), strict=True):
        ordered[index] = item
    return ordered
