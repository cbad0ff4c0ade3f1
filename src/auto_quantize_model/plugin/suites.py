"""The suites of a session: which one a test file belongs to, and which of its cases a test runs."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from auto_quantize_model.cases.suite_file import SUITE_FILE, suite_above
from auto_quantize_model.errors import InputError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pytest

    from auto_quantize_model.cases.suite import Case, Suite
    from auto_quantize_model.plugin.options import Options

CASE = "sensitivity_case"
"""The fixture, and so the parameter, of a test that runs a case."""


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
        file = suite_above(test_file.parent, highest=self._root)
        if file is None:
            raise InputError(
                f"{test_file}: asks for the cases of a suite, but there is no {SUITE_FILE} beside it; "
                "write one there, for example with the line 'models: [my_model]'"
            )
        return self.load(file)

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

    def case(self, file: Path, case_id: str) -> SuiteCase:
        """A case of a suite by its name."""
        suite = self.load(file)
        return SuiteCase(suite, next(case for case in suite.cases if case.id == case_id))

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


def case_of(item: pytest.Item) -> SuiteCase | None:
    """The case that a test runs, if it runs one."""
    callspec = getattr(item, "callspec", None)
    parameter = callspec.params.get(CASE) if callspec is not None else None
    return parameter if isinstance(parameter, SuiteCase) else None


def cases_of(items: Iterable[pytest.Item]) -> list[SuiteCase]:
    """The cases that tests run, once for each test."""
    return [suite_case for suite_case in map(case_of, items) if suite_case is not None]
