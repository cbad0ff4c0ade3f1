"""What one pytest session keeps: options, suites, passes, where its artifacts go, what came of its cases."""

from __future__ import annotations

import datetime as dt
import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auto_quantize_model.plugin.collection import Suites
from auto_quantize_model.plugin.passes import Passes
from auto_quantize_model.plugin.progress import Announcer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auto_quantize_model.plugin.options import Options
    from auto_quantize_model.plugin.record import Record


class Session:
    """The plugin's state in one process: the controller, a worker, or both in one."""

    def __init__(self, config: pytest.Config, options: Options) -> None:
        """Starts nothing and touches no file."""
        workerinput: dict[str, str] | None = getattr(config, "workerinput", None)
        self.options = options
        self.worker = None if workerinput is None else str(workerinput["workerid"])
        self.suites = Suites(config.rootpath, options)
        self.passes = Passes(options, self.worker, Announcer(config, self.worker).announce)
        self.records: dict[str, Record] = {}
        self.problems: list[str] = []
        self._given_output = None if workerinput is None else Path(workerinput["sensitivity_output"])
        self._root = config.rootpath

    @functools.cached_property
    def output(self) -> Path:
        """Where this session writes its artifacts; the controller chooses, every worker follows."""
        if self._given_output is not None:
            return self._given_output
        if self.options.output is not None:
            return self.options.output.absolute()
        return self._root / "tmp" / "sensitivity" / dt.datetime.now(tz=dt.UTC).strftime("%Y%m%dT%H%M%SZ")

    @functools.cache  # noqa: B019  a session lives as long as its process
    def write_config(self) -> None:
        """Write the composed configuration of every selected case, once."""
        from auto_quantize_model.artifacts import write_composed_config

        write_composed_config([each.case for each in self.passes.cases], self.output)

    def finish(self, session: pytest.Session) -> None:
        """Update the indices of published models and write the JSON summary; a problem fails the session."""
        if self.worker is not None or not self.records:
            return
        from auto_quantize_model.errors import InputError

        for step in (self._write_indices, self._write_json):
            try:
                step()
            except InputError as error:
                self.problems.append(str(error))
        if self.problems and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def summary_lines(self) -> Iterator[str]:
        """What the terminal shows at the end."""
        if self.records:
            from auto_quantize_model.plugin.summary import summary_lines

            yield from summary_lines(self.records.values(), self.output, self.problems)

    def _write_indices(self) -> None:
        from auto_quantize_model.baselines.index import write_index

        published = {(record.suite, record.model) for record in self.records.values() if record.published}
        for file, model in sorted(published):
            write_index(self.suites.load(Path(file)), model)

    def _write_json(self) -> None:
        if self.options.json is None:
            return
        from auto_quantize_model.artifacts import write_files
        from auto_quantize_model.plugin.summary import summary_document

        text = json.dumps(summary_document(self.records.values(), self.output), indent=2, allow_nan=False) + "\n"
        write_files(self.options.json.absolute().parent, {self.options.json.name: text})


SESSION: pytest.StashKey[Session] = pytest.StashKey()
