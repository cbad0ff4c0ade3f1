"""What is known of one case when a run is over."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from auto_quantize_model.cases.suite import Case
    from auto_quantize_model.comparison.compare import Comparison

NOT_RUN = "not run"
_NAMED = 8


@dataclasses.dataclass(slots=True)
class Record:
    """One case of one session or run; pessimistic until something good is known."""

    case: str
    model: str
    pair: str
    size: str
    suite: str
    verdict: str = NOT_RUN
    """The comparison's; or `new`, `unreadable`, `not compared`, `regenerated`, `failed`, `skipped`."""
    outcome: str = NOT_RUN
    """The test's or the run's: `passed`, `failed`, `error`, `skipped`; `not run` where it was interrupted."""
    captions: int = 0
    """How many calibrate it: what sizes are ordered by, whatever they are called."""
    reason: str | None = None
    total_score: float | None = None
    total_predicted_kl: float | None = None
    measured_kl: float | None = None
    """With every group quantized that the search quantizes; None where it was not measured."""
    most_sensitive_group: str | None = None
    coverage: str | None = None
    """How much of the weights was scored and what the rest is; None where all was."""
    bits: float | None = None
    """Of a weight, as ModelOpt counts the format."""
    costliest: list[str] = dataclasses.field(default_factory=list)
    """The groups that have half of the case's cost, in words, the costliest first; no more than a few."""
    total_ratio: float | None = None
    """The total score, as a multiple of the baseline's."""
    worst_group: str | None = None
    """The group that moved most against the baseline."""
    worst_ratio: float | None = None
    published: str | None = None
    """`created`, `updated`, `re-rendered`, `unchanged`; None where nothing was published."""
    artifacts: str | None = None
    seconds: float = 0.0
    """What the case itself took, without the pass that it shares."""
    pass_seconds: float | None = None
    """What the model's pass took, at the case that triggered it."""
    pass_shared: bool = False
    """Whether the session's workers shared that pass."""
    worker: str | None = None
    tests: int = 1
    """How many selected tests the case has."""

    def note_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Take over the totals of the case's manifest."""
        from auto_quantize_model.manifest.coverage import coverage_line
        from auto_quantize_model.reports.headline import costliest_half, ranked
        from auto_quantize_model.reports.rows import rows
        from auto_quantize_model.reports.totals import total_predicted_kl

        self.total_score = manifest["autoquant_state"]["score"]
        self.total_predicted_kl = total_predicted_kl(manifest)
        self.measured_kl = None if manifest.get("measured") is None else manifest["measured"]["kl"]
        self.coverage = coverage_line(manifest)
        layers = rows(manifest)
        self.bits = manifest["quantization"]["effective_bits"]
        self.costliest = [group.place.label for group in costliest_half(ranked(layers))[:_NAMED]]
        first = layers[0]
        self.most_sensitive_group = None if first["sensitivity"] is None else first["layer"]

    def note_comparison(self, comparison: Comparison) -> None:
        """Take over what a comparison with the baseline says."""
        self.verdict = comparison.verdict
        self.total_ratio = comparison.total_ratio
        worst = comparison.worst
        if worst is not None:
            self.worst_group, self.worst_ratio = worst.group, worst.ratio


def new_record(case: Case, suite: Path, worker: str | None = None) -> Record:
    """The record of a case of which nothing is known yet."""
    return Record(
        case=case.id,
        model=case.model.name,
        pair=case.pair.name,
        size=case.size,
        captions=case.dataset.samples(case.size),
        suite=str(suite),
        worker=worker,
    )
