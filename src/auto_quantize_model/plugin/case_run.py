"""One case in its test: run when first asked, and checked against its baseline."""

from __future__ import annotations

import copy
import functools
import time
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from auto_quantize_model.artifacts import manifest_name, render_reports, write_case
from auto_quantize_model.baselines.store import baseline_folder, baseline_manifest
from auto_quantize_model.checkpoints.locate import has_own_checkpoint
from auto_quantize_model.comparison.compare import compare
from auto_quantize_model.comparison.wording import describe
from auto_quantize_model.errors import CaseError, InputError
from auto_quantize_model.manifest.document import mapping, read_manifest
from auto_quantize_model.manifest.older import is_older
from auto_quantize_model.manifest.schema import InvalidManifestError
from auto_quantize_model.manifest.structure import manifest_structure
from auto_quantize_model.paths import display_path
from auto_quantize_model.plugin.commands import Commands
from auto_quantize_model.plugin.failing import fail
from auto_quantize_model.plugin.schema_check import check_against_snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from syrupy.assertion import SnapshotAssertion

    from auto_quantize_model.baselines.store import Baselines
    from auto_quantize_model.cases.suite import Case, Suite
    from auto_quantize_model.plugin.options import Options
    from auto_quantize_model.plugin.output import Output
    from auto_quantize_model.plugin.passes import Passes
    from auto_quantize_model.plugin.suites import SuiteCase
    from auto_quantize_model.scores import CaseScores
    from auto_quantize_model.summary.record import Record

CASE_RUN: pytest.StashKey[CaseRun] = pytest.StashKey()
"""Where a test keeps the run of its case."""


class CaseRun:
    """What a test gets for a case; every check fails the test with lines that say what to do next."""

    def __init__(
        self,
        suite_case: SuiteCase,
        record: Record,
        options: Options,
        output: Output,
        passes: Passes,
        baselines: Baselines,
    ) -> None:
        self.case: Case = suite_case.case
        self.suite: Suite = suite_case.suite
        self.record = record
        self._suite_case = suite_case
        self._options = options
        self._output = output
        self._passes = passes
        self._baselines = baselines
        self._commands = Commands(suite_case, options)

    @property
    def manifest(self) -> dict[str, Any]:
        """A copy of the case's manifest; the first case of a model that is asked for it runs the model's pass."""
        return copy.deepcopy(self._manifest)

    @functools.cached_property
    def _manifest(self) -> dict[str, Any]:
        started = time.perf_counter()
        try:
            if self._options.report_only:
                manifest, scores = self._regenerated(), None
            else:
                manifest, scores = self._run()
            write_case(self.case, manifest, self._output.folder, scores)
        except (InputError, CaseError) as error:
            self._fail(str(error), "failed")
        except InvalidManifestError as error:
            self._fail(f"{self.case.id}: the manifest does not keep the JSON Schema: {error}", "failed")
        finally:
            self.record.seconds += time.perf_counter() - started - (self.record.pass_seconds or 0.0)
        self.record.artifacts = str(self.artifacts)
        self.record.verdict = "regenerated" if self._options.report_only else "not compared"
        self.record.note_manifest(manifest)
        return manifest

    @property
    def artifacts(self) -> Path:
        """The folder of what this run wrote."""
        return self._output.folder / self.case.run_folder

    def check_artifacts(self) -> None:
        """Fail unless every artifact lies in the run's output, whole, and the reports are those of the manifest."""
        name = manifest_name(self._manifest)
        try:
            written = read_manifest(self.artifacts / name)
        except InputError as error:
            self._fail(str(error), "failed")
        if written != self._manifest:
            self._fail(f"{self.artifacts / name}: is not the manifest of this run", "failed")
        for report, text in render_reports(self._manifest).items():
            file = self.artifacts / report
            if not file.is_file() or file.read_text(encoding="utf-8") != text:
                self._fail(f"{file}: is missing, or is not the report of this run", "failed")

    def check_schema(self, snapshot: SnapshotAssertion) -> None:
        """Fail unless the manifest has the structure of the snapshot.

        A case without a baseline has no snapshot: the JSON Schema has checked it. While publishing, the snapshot
        follows: the drift checks compare it with what is committed. Another engine leaves other things out.
        """
        manifest = self._manifest
        if self._options.publish or self._engine_of_baseline() != manifest["engine"]["name"]:
            return
        reason = check_against_snapshot(manifest_structure(manifest), snapshot)
        if reason is not None:
            self._fail(
                f"{self.case.id}: the structure of the manifest has changed\n{reason}\n"
                f"if that is meant: {self._commands.publish(self._baseline)}\n"
                f"           and then: {self._commands.update_snapshots()}",
                "drift",
            )

    def check_baseline(self) -> None:
        """Fail unless the case agrees with its baseline; while publishing, only say how it differs."""
        manifest = self._manifest
        if self._options.report_only or self._options.publish:
            return
        try:
            baseline = self._baseline
        except InputError as error:
            self._fail(f"{error}\nto make a new one: {self._commands.publish()}", "failed")
        if baseline is None:
            self._fail(
                f"{self.case.id}: no baseline in {display_path(baseline_folder(self.case))}\n"
                f"to create it: {self._commands.publish()}",
                "new",
            )
        comparison = compare(baseline, manifest, self.suite.tolerances)
        self.record.note_comparison(comparison)
        if comparison.verdict in ("drift", "incomparable"):
            file = baseline_folder(self.case) / manifest_name(baseline)
            lines = [f"{self.case.id}, against {display_path(file)}", *describe(comparison), *self._next_steps()]
            self._fail("\n".join(lines), comparison.verdict)

    @functools.cached_property
    def _baseline(self) -> dict[str, Any] | None:
        return self._baselines.manifest(self.case)

    def _engine_of_baseline(self) -> str | None:
        try:
            name: str | None = mapping(self._baseline or {}, "engine").get("name")
        except InputError:
            return None
        return name

    def _run(self) -> tuple[dict[str, Any], CaseScores | None]:
        self._write_config()
        result, self.record.pass_seconds = self._passes.result(self._suite_case)
        self.record.pass_shared = self._passes.shared(self._suite_case)
        if result.skipped:
            self.record.pass_seconds = None
            self._skip(str(result.error))
        if result.manifest is None:
            raise CaseError(result.error or "the engine gave no manifest")
        if result.error is not None:
            # The scores are worth keeping, but what fails is never published.
            write_case(self.case, result.manifest, self._output.folder, result.scores)
            raise CaseError(result.error)
        return result.manifest, result.scores

    def _regenerated(self) -> dict[str, Any]:
        self._write_config()
        manifest = self._baseline
        if manifest is None:
            reason = f"no manifest in {display_path(baseline_folder(self.case))} to regenerate the reports from"
            if not has_own_checkpoint(self.case):
                self._skip(reason)
            raise InputError(reason)
        if is_older(manifest):
            raise InputError(
                f"{baseline_manifest(self.case)}: an older tool's, as are the reports beside it; "
                "`python -m auto_quantize_model report` renders it elsewhere"
            )
        return manifest

    def _write_config(self) -> None:
        self._output.write_config([suite_case.case for suite_case in self._passes.cases])

    def _skip(self, reason: str) -> NoReturn:
        self.record.verdict, self.record.reason = "skipped", reason
        pytest.skip(f"{self.case.model.name}: {reason}")

    def _next_steps(self) -> list[str]:
        explain = f"what each cause adds to it: {self._commands.explain()}"
        changing = self._options.score_changing_overrides
        if changing:
            return [f"this run had --sensitivity-override {changing[0]}, which the baseline has not", explain]
        return [
            f"this run's artifacts: {display_path(self.artifacts)}",
            explain,
            f"if the change is meant: {self._commands.publish(self._baseline)}",
        ]

    def _fail(self, message: str, verdict: str) -> NoReturn:
        self.record.verdict, self.record.reason = verdict, message.splitlines()[0]
        fail(message)
