"""What one pytest session keeps: options, suites, passes, baselines and records; it builds what tests get."""

from __future__ import annotations

import collections
import functools
import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auto_quantize_model.options import HTML, JSON
from auto_quantize_model.plugin.announcer import Announcer
from auto_quantize_model.plugin.loadgroup import share_out
from auto_quantize_model.plugin.output import Output
from auto_quantize_model.plugin.passes import Passes
from auto_quantize_model.plugin.publishing import Publisher
from auto_quantize_model.plugin.record_in_report import attach
from auto_quantize_model.plugin.suites import Suites, case_of, cases_of
from auto_quantize_model.plugin.worker import SHARED_FOLDER, worker_of
from auto_quantize_model.summary.github import append_job_summary, error_commands
from auto_quantize_model.summary.record import new_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from auto_quantize_model.baselines.store import Baselines
    from auto_quantize_model.cases.suite import Case, RecipeCase, Suite
    from auto_quantize_model.plugin.baseline_check import BaselineCheck
    from auto_quantize_model.plugin.case_run import CaseRun
    from auto_quantize_model.plugin.options import Options
    from auto_quantize_model.plugin.recipe_check import RecipeCheck
    from auto_quantize_model.plugin.suites import SuiteCase
    from auto_quantize_model.summary.record import Record


class Session:
    """The plugin's state in one process: the controller, a worker, or both in one."""

    def __init__(self, config: pytest.Config, options: Options) -> None:
        self.options = options
        self.worker = worker_of(config)
        self.suites = Suites(config.rootpath, options)
        # The controller chooses, every worker follows.
        self.output = Output(options.output if self.worker is None else self.worker.output, config.rootpath)
        self.announcer = Announcer(config, self._worker_name)
        self._run = uuid.uuid4().hex if self.worker is None else self.worker.run
        self.passes = Passes(options, self.worker, self.announcer, self._run)
        self.records: dict[str, Record] = {}
        self.problems: list[str] = []
        self.publisher = Publisher(options, self.suites, self.problems)
        self._tests: dict[tuple[str, str], int] = {}
        """How many selected tests each case has."""
        self._collect_only = bool(config.getoption("collectonly"))
        self._has_head = config.get_verbosity() >= 0 and not (options.report_only or self._collect_only)

    @property
    def _worker_name(self) -> str | None:
        return None if self.worker is None else self.worker.name

    @functools.cached_property
    def shared(self) -> Path:
        """What the workers of this session share; the controller names it, and removes it in the end."""
        return self.output.folder / f"{SHARED_FOLDER}{self._run}"

    @functools.cached_property
    def baselines(self) -> Baselines:
        """The committed baselines, as far as this session has read them."""
        from auto_quantize_model.baselines.store import Baselines

        return Baselines()

    def start(self) -> None:
        """Refuse now what would otherwise come out after hours of work."""
        for option, file in ((JSON, self.options.json), (HTML, self.options.html)):
            if file is not None and file.is_dir():
                raise pytest.UsageError(f"{option.pytest_flag} {file}: is a folder; name a file")

    def head_lines(self, items: Iterable[pytest.Item]) -> list[str]:
        """On what the cases of these tests will run and calibrate; said once a session, and only if there are any."""
        suite_case = next(filter(None, map(case_of, items)), None)
        return [] if suite_case is None else self._head_lines(suite_case)

    def case_starts(self, record: Record) -> None:
        """The first report of a case is here; where workers collect, only that tells the controller of cases."""
        if self._has_head:
            for line in self._head_lines(self.suites.case(Path(record.suite), record.case)):
                self.announcer.write(line)

    def _head_lines(self, suite_case: SuiteCase) -> list[str]:
        if not self._has_head:
            return []
        from auto_quantize_model.plugin.device_line import device_line
        from auto_quantize_model.summary.data_line import data_line

        self._has_head = False
        data, recipe = data_line(suite_case.suite), suite_case.suite.modelopt_recipe
        notes = [] if recipe is None else [f"{recipe.recipe.name}: {note}" for note in recipe.notes]
        return [
            device_line(suite_case.case, self.options),
            *([] if data is None else [f"sensitivity: {data}"]),
            *(f"sensitivity: {note}" for note in notes),
        ]

    def plan(self, items: Iterable[pytest.Item]) -> None:
        """Plan the passes for exactly the cases of these tests."""
        cases = cases_of(items)
        self._tests = collections.Counter(suite_case.key for suite_case in cases)
        self.passes.plan({suite_case.key: suite_case for suite_case in cases}.values())

    def share_out(self, items: Sequence[pytest.Item]) -> None:
        """Where there are more workers than models, let several have cases of one: they share its pass."""
        if self.worker is not None:
            share_out([item for item in items if self._shares(item)], self.worker.count)

    def _shares(self, item: pytest.Item) -> bool:
        suite_case = case_of(item)
        return suite_case is not None and self.passes.shared(suite_case)

    def case_run(self, suite_case: SuiteCase) -> CaseRun:
        """What a test of a case gets."""
        from auto_quantize_model.plugin.case_run import CaseRun

        return CaseRun(suite_case, self._new_record(suite_case), self.options, self.output, self.passes, self.baselines)

    def baseline_check(self, suite_case: SuiteCase) -> BaselineCheck:
        """What a drift check of a baseline gets."""
        from auto_quantize_model.plugin.baseline_check import BaselineCheck

        return BaselineCheck(suite_case, self.options, self.baselines)

    def recipe_check(self, suite: Suite, recipe_case: RecipeCase) -> RecipeCheck:
        """What a test of a guarded recipe gets."""
        from auto_quantize_model.plugin.recipe_check import RecipeCheck

        return RecipeCheck(recipe_case, suite, self.options, self.output)

    def attach_record(self, item: pytest.Item) -> None:
        """Put the record of a test's case, as it is now, among the properties of the test's next report."""
        suite_case = case_of(item)
        if suite_case is None:
            return
        from auto_quantize_model.plugin.case_run import CASE_RUN

        run = item.stash.get(CASE_RUN, None)
        record = self._new_record(suite_case) if run is None else run.record
        record.tests = self._tests.get(suite_case.key, 1)
        attach(record, item)

    def _new_record(self, suite_case: SuiteCase) -> Record:
        return new_record(suite_case.case, suite_case.suite.path, self._worker_name)

    def finish(self, session: pytest.Session) -> None:
        """Update the indices of published models, write the JSON summary and the page; a problem fails the session."""
        if self.worker is not None or self._collect_only:
            return
        self._forget_passes(session)
        self._write_indices()
        self._write_json()
        self._write_html()
        problem = append_job_summary(self.records.values())
        if problem is not None:
            self.problems.append(problem)
        if self.problems and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _forget_passes(self, session: pytest.Session) -> None:
        """Nobody shall go on from a session that came to its end."""
        if self.records and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            from auto_quantize_model.engine.capture.interrupted import forget
            from auto_quantize_model.engine.capture.settings import CaptureSettings

            forget(CaptureSettings(folder=self.options.capture_dir, run=self._run))

    def close(self) -> None:
        """Remove what the workers shared; not before all of them are gone, or one could write it again."""
        if "shared" in self.__dict__:
            shutil.rmtree(self.shared, ignore_errors=True)

    def summary_lines(self, *, blocks: bool) -> Iterator[str]:
        """What the terminal shows at the end; `blocks` is whether it can show a bar of blocks."""
        if self.records:
            from auto_quantize_model.plugin.summary import summary_lines

            yield from summary_lines(
                self.records.values(),
                self.output.folder,
                self.problems,
                verbose=self.options.verbose,
                blocks=blocks,
            )
            yield from error_commands(self.records.values())

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
        from auto_quantize_model.summary.document import write_summary

        # Under pytest-xdist only the workers know which cases were selected and not reached.
        not_reached = [
            self._new_record(suite_case) for suite_case in self.passes.cases if suite_case.case.id not in self.records
        ]
        try:
            write_summary(file, [*self.records.values(), *not_reached], self.output.folder)
        except InputError as error:
            self.problems.append(str(error))

    def _write_html(self) -> None:
        file = self.options.html
        if file is None:
            return
        from auto_quantize_model.errors import InputError
        from auto_quantize_model.summary.page import write_session_page

        def case_of_record(record: Record) -> tuple[Case, Suite]:
            suite_case = self.suites.case(Path(record.suite), record.case)
            return suite_case.case, suite_case.suite

        try:
            write_session_page(file, self.records.values(), case_of_record, self.baselines)
        except InputError as error:
            self.problems.append(str(error))


SESSION: pytest.StashKey[Session] = pytest.StashKey()
