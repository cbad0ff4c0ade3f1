"""One case in its test: run when first asked, and checked against its baseline."""

from __future__ import annotations

import copy
import functools
import time
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from auto_quantize_model.artifacts import manifest_name, render_reports, write_case
from auto_quantize_model.baselines.store import baseline_folder, baseline_manifest, read_baseline
from auto_quantize_model.checkpoints.locate import has_own_checkpoint
from auto_quantize_model.comparison.compare import compare
from auto_quantize_model.comparison.wording import describe
from auto_quantize_model.errors import CaseError, InputError
from auto_quantize_model.manifest.document import InvalidManifestError, mapping, read_manifest
from auto_quantize_model.manifest.older import is_older
from auto_quantize_model.manifest.structure import manifest_structure
from auto_quantize_model.paths import display_path
from auto_quantize_model.plugin.commands import Commands
from auto_quantize_model.plugin.failing import fail
from auto_quantize_model.plugin.record import new_record
from auto_quantize_model.plugin.schema_check import check_against_snapshot
from auto_quantize_model.reports.markdown import total_predicted_kl
from auto_quantize_model.reports.rows import rows

if TYPE_CHECKING:
    from pathlib import Path

    from syrupy.assertion import SnapshotAssertion

    from auto_quantize_model.cases.suite import Case, Suite
    from auto_quantize_model.plugin.collection import SuiteCase
    from auto_quantize_model.plugin.session import Session


class CaseRun:
    """What a test gets for a case; every check fails the test with lines that say what to do next."""

    def __init__(self, suite_case: SuiteCase, session: Session) -> None:
        """Nothing runs before the manifest is asked for."""
        self.case: Case = suite_case.case
        self.suite: Suite = suite_case.suite
        self.record = new_record(suite_case, session.worker_name)
        self._suite_case = suite_case
        self._session = session
        self._commands = Commands(suite_case, session.options)

    @property
    def manifest(self) -> dict[str, Any]:
        """A copy of the case's manifest; the first case of a model that is asked for it runs the model's pass."""
        return copy.deepcopy(self._manifest)

    @functools.cached_property
    def _manifest(self) -> dict[str, Any]:
        started = time.perf_counter()
        try:
            manifest = self._regenerated() if self._session.options.report_only else self._run()
            write_case(self.case, manifest, self._session.output)
        except (InputError, CaseError) as error:
            self._fail(str(error), "failed")
        except InvalidManifestError as error:
            self._fail(f"{self.case.id}: the manifest does not keep the JSON Schema: {error}", "failed")
        finally:
            self.record.seconds += time.perf_counter() - started - (self.record.pass_seconds or 0.0)
        self.record.artifacts = str(self.artifacts)
        self.record.verdict = "regenerated" if self._session.options.report_only else "not compared"
        self.record.total_score = manifest["autoquant_state"]["score"]
        self.record.total_predicted_kl = total_predicted_kl(manifest)
        first = rows(manifest)[0]
        self.record.most_sensitive_group = None if first["sensitivity"] is None else first["layer"]
        return manifest

    @property
    def artifacts(self) -> Path:
        """The folder of what this run wrote."""
        return self._session.output / self.case.run_folder

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
        if self._session.options.publish or self._engine_of_baseline() != manifest["engine"]["name"]:
            return
        reason = check_against_snapshot(manifest_structure(manifest), snapshot)
        if reason is not None:
            self._fail(
                f"{self.case.id}: the structure of the manifest has changed\n{reason}\n"
                f"if that is meant: {self._commands.case('--publish')}\n"
                f"           and then: {self._commands.drift('--snapshot-update')}",
                "drift",
            )

    def check_baseline(self) -> None:
        """Fail unless the case agrees with its baseline; while publishing, only say how it differs."""
        manifest, options = self._manifest, self._session.options
        if options.report_only or options.publish:
            return
        try:
            baseline = self._baseline
        except InputError as error:
            self._fail(f"{error}\nto make it anew: {self._commands.case('--publish')}", "failed")
        if baseline is None:
            self._fail(
                f"{self.case.id}: no baseline in {display_path(baseline_folder(self.case))}\n"
                f"to create it: {self._commands.case('--publish')}",
                "new",
            )
        comparison = compare(baseline, manifest, self.suite.tolerances)
        self.record.note(comparison)
        if comparison.verdict in ("drift", "incomparable"):
            file = baseline_folder(self.case) / manifest_name(baseline)
            lines = [f"{self.case.id}, against {display_path(file)}", *describe(comparison), *self._next_steps()]
            self._fail("\n".join(lines), comparison.verdict)

    @functools.cached_property
    def _baseline(self) -> dict[str, Any] | None:
        return read_baseline(self.case)

    def _engine_of_baseline(self) -> str | None:
        try:
            name: str | None = mapping(self._baseline or {}, "engine").get("name")
        except InputError:
            return None
        return name

    def _run(self) -> dict[str, Any]:
        session = self._session
        session.write_config()
        result, self.record.pass_seconds = session.passes.result(self._suite_case)
        self.record.pass_shared = session.passes.shared(self._suite_case)
        if result.skipped:
            self.record.pass_seconds = None
            self._skip(str(result.error))
        if result.manifest is None:
            raise CaseError(result.error or "the engine gave no manifest")
        return result.manifest

    def _regenerated(self) -> dict[str, Any]:
        self._session.write_config()
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

    def _skip(self, reason: str) -> NoReturn:
        self.record.verdict, self.record.reason = "skipped", reason
        pytest.skip(f"{self.case.model.name}: {reason}")

    def _next_steps(self) -> list[str]:
        changing = self._session.options.score_changing_overrides
        if changing:
            return [f"this run had --sensitivity-override {changing[0]}, which the baseline has not"]
        return [
            f"this run's artifacts: {display_path(self.artifacts)}",
            f"if the change is meant: {self._commands.case('--publish')}",
        ]

    def _fail(self, message: str, verdict: str) -> NoReturn:
        self.record.verdict, self.record.reason = verdict, message.splitlines()[0]
        fail(message)
