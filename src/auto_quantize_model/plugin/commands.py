"""The commands that messages tell a user to type next."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from auto_quantize_model.paths import display_path

if TYPE_CHECKING:
    from auto_quantize_model.plugin.collection import SuiteCase
    from auto_quantize_model.plugin.options import Options


class Commands:
    """Commands for one case, with the places that this session was given."""

    def __init__(self, suite_case: SuiteCase, options: Options) -> None:
        """The suite is named by its folder, which holds the tests of its cases and its drift checks."""
        root, path = options.models_root, options.model_paths.get(suite_case.case.model.name)
        places = [] if root is None else ["--sensitivity-models-root", display_path(root)]
        places += (
            [] if path is None else ["--sensitivity-model-path", f"{suite_case.case.model.name}={display_path(path)}"]
        )
        self._target = shlex.quote(display_path(suite_case.suite.path.parent))
        self._case_id = suite_case.case.id
        self._places = [shlex.quote(word) for word in places]

    def case(self, *options: str) -> str:
        """Run this case."""
        return " ".join(["pytest -m gpu", self._target, "-k", f'"{self._case_id}"', *self._places, *options])

    def drift(self, *options: str) -> str:
        """Run the drift checks of the suite."""
        return " ".join(['pytest -m "not gpu"', self._target, *self._places, *options])
