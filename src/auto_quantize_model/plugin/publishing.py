"""Publishing, in the controller alone: a case goes over its baseline when every test of it has passed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auto_quantize_model.baselines.publish import Publication
    from auto_quantize_model.cases.suite import Case, Suite
    from auto_quantize_model.plugin.options import Options
    from auto_quantize_model.plugin.suites import Suites
    from auto_quantize_model.summary.record import Record


class Publisher:
    """Publishes from the artifacts that the tests wrote, wherever they ran."""

    def __init__(self, options: Options, suites: Suites, problems: list[str]) -> None:
        """What cannot be published goes to `problems`, which fail the session."""
        self._options = options
        self._suites = suites
        self._problems = problems

    def publish(self, record: Record) -> None:
        """Publish a case, and let its record say what came of it."""
        if not self._options.publish or record.artifacts is None or record.published is not None:
            return
        from auto_quantize_model.errors import CaseError, InputError

        suite_case = self._suites.case(Path(record.suite), record.case)
        try:
            publication = self._publish(suite_case.case, suite_case.suite, record)
        except (InputError, CaseError) as error:
            record.outcome, record.verdict, record.reason = "failed", "failed", str(error)
            self._problems.append(f"not published: {error}")
        else:
            record.published, record.reason = publication.action, publication.reason

    def _publish(self, case: Case, suite: Suite, record: Record) -> Publication:
        from auto_quantize_model.artifacts import probe_sums_name
        from auto_quantize_model.baselines.publish import publish_case, publish_reports
        from auto_quantize_model.baselines.store import baseline_manifest, has_baseline, read_baseline
        from auto_quantize_model.comparison.compare import compare
        from auto_quantize_model.errors import InputError
        from auto_quantize_model.manifest.document import read_manifest

        if self._options.report_only:
            return publish_reports(case)
        manifest = read_manifest(Path(str(record.artifacts), baseline_manifest(case).name))
        comparison = None
        record.verdict = "unreadable" if has_baseline(case) else "new"
        try:
            baseline = read_baseline(case)
        except InputError:
            baseline = None
        if baseline is not None:
            comparison = compare(baseline, manifest, suite.tolerances)
            record.note_comparison(comparison)
        sums = Path(str(record.artifacts), probe_sums_name(manifest))
        return publish_case(case, manifest, comparison, sums.read_bytes() if sums.is_file() else None)
