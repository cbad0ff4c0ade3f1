"""What one pytest session keeps: options, suites, passes, where its artifacts go, what came of its cases."""

from __future__ import annotations

import collections
import functools
import json
import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auto_quantize_model.plugin.collection import Suites, case_of, cases_of, share_out
from auto_quantize_model.plugin.passes import Passes, Worker
from auto_quantize_model.plugin.progress import Announcer
from auto_quantize_model.plugin.publishing import Publisher
from auto_quantize_model.plugin.record import new_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from auto_quantize_model.plugin.options import Options
    from auto_quantize_model.plugin.record import Record


class Session:
    """The plugin's state in one process: the controller, a worker, or both in one."""

    def __init__(self, config: pytest.Config, options: Options) -> None:
        """Starts nothing and touches no file."""
        workerinput: dict[str, str] | None = getattr(config, "workerinput", None)
        self.options = options
        self.worker = None if workerinput is None else _worker(workerinput)
        self.suites = Suites(config.rootpath, options)
        self.passes = Passes(options, self.worker, Announcer(config, self.worker_name))
        self.records: dict[str, Record] = {}
        self.tests: dict[tuple[str, str], int] = {}
        """How many selected tests each case has."""
        self.problems: list[str] = []
        self.publisher = Publisher(options, self.suites, self.problems)
        self._config_written = False
        self._collect_only = bool(config.getoption("collectonly"))
        self._given_output = None if workerinput is None else Path(workerinput["sensitivity_output"])
        self._root = config.rootpath

    @property
    def worker_name(self) -> str | None:
        """The name of this process under pytest-xdist."""
        return None if self.worker is None else self.worker.name

    @functools.cached_property
    def shared(self) -> Path:
        """What the workers of this session share; the controller names it, and removes it in the end."""
        return self.output / f".shared-{uuid.uuid4().hex}"

    @functools.cached_property
    def output(self) -> Path:
        """Where this session writes its artifacts; the controller chooses, every worker follows."""
        if self._given_output is not None:
            return self._given_output
        if self.options.output is not None:
            return self.options.output
        from auto_quantize_model.artifacts import default_output

        return default_output(self._root)

    def start(self) -> None:
        """Refuse now what would otherwise be found after hours of work."""
        file = self.options.json
        if file is not None and file.is_dir():
            raise pytest.UsageError(f"--sensitivity-json {file}: is a folder; name a file")

    def plan(self, items: Iterable[pytest.Item]) -> None:
        """Plan the passes for exactly the cases of these tests."""
        cases = cases_of(items)
        self.tests = collections.Counter(each.key for each in cases)
        self.passes.plan({each.key: each for each in cases}.values())

    def share_out(self, items: Sequence[pytest.Item]) -> None:
        """Where there are more workers than models, let several have cases of one: they share its pass."""
        if self.worker is not None:
            share_out([item for item in items if self._shares(item)], self.worker.count)

    def _shares(self, item: pytest.Item) -> bool:
        each = case_of(item)
        return each is not None and self.passes.shared(each)

    def write_config(self) -> None:
        """Write the composed configuration of every selected case, once."""
        if not self._config_written:
            from auto_quantize_model.artifacts import write_composed_config

            write_composed_config([each.case for each in self.passes.cases], self.output)
            self._config_written = True

    def finish(self, session: pytest.Session) -> None:
        """Update the indices of published models and write the JSON summary; a problem fails the session."""
        if self.worker is not None or self._collect_only:
            return
        self._write_indices()
        self._write_json()
        if self.problems and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def close(self) -> None:
        """Remove what the workers shared; not before all of them are gone, or one could write it anew."""
        if "shared" in self.__dict__:
            shutil.rmtree(self.shared, ignore_errors=True)

    def summary_lines(self) -> Iterator[str]:
        """What the terminal shows at the end."""
        if self.records:
            from auto_quantize_model.plugin.summary import summary_lines

            yield from summary_lines(self.records.values(), self.output, self.problems)

    def _write_indices(self) -> None:
        published = {(record.suite, record.model) for record in self.records.values() if record.published}
        for file, model in sorted(published):
            from auto_quantize_model.baselines.index import write_index
            from auto_quantize_model.errors import InputError

            try:
                write_index(self.suites.load(Path(file)), model)
            except InputError as error:
                self.problems.append(f"the index of {model} is not up to date: {error}")

    def _write_json(self) -> None:
        file = self.options.json
        if file is None:
            return
        from auto_quantize_model.errors import InputError
        from auto_quantize_model.plugin.summary import summary_document
        from auto_quantize_model.whole_files import write_files

        # Under pytest-xdist only the workers know which cases were selected and not reached.
        not_reached = [new_record(each, None) for each in self.passes.cases if each.case.id not in self.records]
        document = summary_document([*self.records.values(), *not_reached], self.output)
        try:
            write_files(file.parent, {file.name: json.dumps(document, indent=2, allow_nan=False) + "\n"})
        except InputError as error:
            self.problems.append(str(error))


def _worker(workerinput: dict[str, str]) -> Worker:
    return Worker(
        name=str(workerinput["workerid"]),
        count=int(workerinput["workercount"]),
        shared=Path(workerinput["sensitivity_shared"]),
    )


SESSION: pytest.StashKey[Session] = pytest.StashKey()
