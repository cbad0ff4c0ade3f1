"""What `run` notes of its cases for `--json` and `--html`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from auto_quantize_model.summary.document import write_summary
from auto_quantize_model.summary.record import new_record

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from auto_quantize_model.cases.suite import Case, Suite
    from auto_quantize_model.run import CaseResult


class Records:
    """One record a case, in the order of the cases; those that are never reached stay `not run`."""

    def __init__(self, cases: Iterable[Case], suite: Suite, output: Path, file: Path | None, page: Path | None) -> None:
        """`file` and `page` are where the records are wanted, if they are."""
        self.output = output
        self._suite = suite
        self._cases = {case.id: case for case in cases}
        self._records = {case.id: new_record(case, suite.path.absolute()) for case in self._cases.values()}
        self._file, self._page = file, page
        self._passed: set[str] = set()
        """The models whose pass is over."""
        self._last = 0.0

    def start(self) -> None:
        """Begin to measure how long each case takes."""
        self._last = time.perf_counter()

    def note(self, result: CaseResult) -> None:
        """Note what became of a case; the first of a model took the model's pass."""
        record, now = self._records[result.case.id], time.perf_counter()
        seconds, self._last = now - self._last, now
        if result.manifest is not None:
            record.note_manifest(result.manifest)
            record.artifacts = str(self.output / result.case.run_folder)
        if result.error is None:
            record.outcome, record.verdict = "passed", "not compared"
        else:
            record.outcome = record.verdict = "skipped" if result.skipped else "failed"
            record.reason = result.error
        if result.skipped or record.model in self._passed:
            record.seconds = seconds
        else:
            self._passed.add(record.model)
            record.pass_seconds = seconds

    def write(self) -> None:
        """Write the summary and the page, if they are wanted."""
        if self._file is not None:
            write_summary(self._file, self._records.values(), self.output)
        ran = [record for record in self._records.values() if record.artifacts is not None]
        if self._page is not None and ran:
            from auto_quantize_model.baselines.store import Baselines
            from auto_quantize_model.summary.page import write_session_page

            write_session_page(self._page, ran, lambda record: (self._cases[record.case], self._suite), Baselines())
