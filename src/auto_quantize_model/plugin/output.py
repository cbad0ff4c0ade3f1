"""Where a session writes its artifacts, with the configuration that they were made with."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from auto_quantize_model.cases.suite import Case


class Output:
    """The folder of a session's artifacts, which is there once something is written."""

    def __init__(self, asked: Path | None, root: Path) -> None:
        """`asked` is what the user, or the controller of a worker, named; else there is a new one below `root`."""
        self._asked = asked
        self._root = root
        self._config_written = False

    @functools.cached_property
    def folder(self) -> Path:
        """The folder; its name holds the time at which it was first asked for."""
        if self._asked is not None:
            return self._asked
        from auto_quantize_model.artifacts import default_output

        return default_output(self._root)

    def write_config(self, cases: Sequence[Case]) -> None:
        """Write the composed configuration of every selected case, once."""
        if not self._config_written:
            from auto_quantize_model.artifacts import write_composed_config

            write_composed_config(cases, self.folder)
            self._config_written = True
