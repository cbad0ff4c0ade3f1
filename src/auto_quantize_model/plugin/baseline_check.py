"""One committed baseline in its drift check; no engine, no torch."""

from __future__ import annotations

import copy
import functools
from typing import TYPE_CHECKING, Any, NoReturn

from auto_quantize_model.baselines.checks import stale_reports
from auto_quantize_model.baselines.store import baseline_folder, baseline_manifest, probe_sums_problems
from auto_quantize_model.errors import InputError
from auto_quantize_model.manifest.consistency import inconsistencies
from auto_quantize_model.manifest.structure import manifest_structure
from auto_quantize_model.paths import display_path
from auto_quantize_model.plugin.commands import Commands
from auto_quantize_model.plugin.failing import fail
from auto_quantize_model.plugin.schema_check import check_against_snapshot

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion

    from auto_quantize_model.baselines.store import Baselines
    from auto_quantize_model.cases.suite import Case
    from auto_quantize_model.plugin.options import Options
    from auto_quantize_model.plugin.suites import SuiteCase


class BaselineCheck:
    """What a drift check gets for a case that has a baseline."""

    def __init__(self, suite_case: SuiteCase, options: Options, baselines: Baselines) -> None:
        self.case: Case = suite_case.case
        self._baselines = baselines
        self._commands = Commands(suite_case, options)

    @property
    def manifest(self) -> dict[str, Any]:
        """A copy of the committed manifest, which keeps the JSON Schema."""
        return copy.deepcopy(self._manifest)

    @functools.cached_property
    def _manifest(self) -> dict[str, Any]:
        try:
            manifest = self._baselines.manifest(self.case)
        except InputError as error:
            self._fail(str(error))
        if manifest is None:
            self._fail(f"{display_path(baseline_folder(self.case))}: the baseline is gone")
        return manifest

    def check_schema(self, snapshot: SnapshotAssertion) -> None:
        """Fail unless the committed manifest has the structure of the snapshot."""
        reason = check_against_snapshot(manifest_structure(self._manifest), snapshot)
        if reason is not None:
            fail(
                f"{self.case.id}: the structure of the committed manifest is not that of its snapshot\n{reason}\n"
                f"if that is meant: {self._commands.update_snapshots()}"
            )

    def check_numbers(self) -> None:
        """Fail unless the numbers that the committed manifest states more than once agree."""
        problems = [f"{baseline_manifest(self.case)}: {problem}" for problem in inconsistencies(self._manifest)]
        problems += probe_sums_problems(self.case, self._manifest, self._baselines)
        if problems:
            self._fail("\n".join(problems))

    def check_reports(self) -> None:
        """Fail unless every committed report is byte for byte what its manifest gives."""
        _ = self._manifest
        problems = list(stale_reports(self.case, self._baselines))
        if problems:
            fail("\n".join([*problems, f"to render it again: {self._commands.publish_reports()}"]))

    def _fail(self, message: str) -> NoReturn:
        fail(f"{message}\nto make a new one: {self._commands.publish()}")
