"""The commands that messages tell a user to type next."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from auto_quantize_model.plugin.collection import SuiteCase
    from auto_quantize_model.plugin.options import Options


class Commands:
    """Commands for one case, with the places that this session was given."""

    def __init__(self, suite_case: SuiteCase, options: Options, test_file: Path) -> None:
        """`test_file` stands for the suite where its folder has no name of its own from here."""
        folder = suite_case.suite.path.parent
        self._target = shown(test_file if shown(folder) == "." else folder)
        self._case_id = suite_case.case.id
        root = options.models_root
        self._places = [] if root is None else ["--sensitivity-models-root", str(root)]

    def case(self, *options: str) -> str:
        """Run this case."""
        return " ".join(["pytest -m gpu", self._target, "-k", f'"{self._case_id}"', *self._places, *options])

    def drift(self, *options: str) -> str:
        """Run the drift checks of the suite."""
        return " ".join(['pytest -m "not gpu"', self._target, *self._places, *options])


def shown(path: Path) -> str:
    """A path as a user would type it: relative where it lies below the working directory."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
