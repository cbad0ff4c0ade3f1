"""One committed baseline in its drift check; no engine, no torch."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NoReturn

from auto_quantize_model.baselines.checks import stale_reports
from auto_quantize_model.baselines.store import baseline_folder, baseline_manifest, read_baseline
from auto_quantize_model.errors import InputError
from auto_quantize_model.manifest.consistency import inconsistencies
from auto_quantize_model.manifest.structure import manifest_structure
from auto_quantize_model.paths import display_path
from auto_quantize_model.plugin.commands import Commands
from auto_quantize_model.plugin.failing import fail
from auto_quantize_model.plugin.schema_check import check_against_snapshot

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion

    from auto_quantize_model.cases.suite import Case
    from auto_quantize_model.plugin.collection import SuiteCase
    from auto_quantize_model.plugin.session import Session


class BaselineCheck:
    """What a drift check gets for a case that has a baseline."""

    def __init__(self, suite_case: SuiteCase, session: Session) -> None:
        """Nothing is read before it is asked for."""
        self.case: Case = suite_case.case
        self._commands = Commands(suite_case, session.options)

    @functools.cached_property
    def manifest(self) -> dict[str, Any]:
        """The committed manifest, checked against the JSON Schema."""
        try:
            manifest = read_baseline(self.case)
        except InputError as error:
            self._fail(str(error))
        if manifest is None:
            self._fail(f"{display_path(baseline_folder(self.case))}: the baseline is gone")
        return manifest

    def check_schema(self, snapshot: SnapshotAssertion) -> None:
        """Fail unless the committed manifest has the structure of the snapshot."""
        reason = check_against_snapshot(manifest_structure(self.manifest), snapshot)
        if reason is not None:
            fail(
                f"{self.case.id}: the structure of the committed manifest is not that of its snapshot\n{reason}\n"
                f"if that is meant: {self._commands.drift('--snapshot-update')}"
            )

    def check_numbers(self) -> None:
        """Fail unless the numbers that the committed manifest states more than once agree."""
        problems = [f"{baseline_manifest(self.case)}: {problem}" for problem in inconsistencies(self.manifest)]
        if problems:
            self._fail("\n".join(problems))

    def check_reports(self) -> None:
        """Fail unless every committed report is byte for byte what its manifest gives."""
        _ = self.manifest
        problems = list(stale_reports(self.case))
        if problems:
            command = self._commands.case("--sensitivity-report-only", "--publish")
            fail("\n".join([*problems, f"to render it anew: {command}"]))

    def _fail(self, message: str) -> NoReturn:
        fail(f"{message}\nto make it anew: {self._commands.case('--publish')}")
