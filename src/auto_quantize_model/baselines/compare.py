"""What a run changed against its baseline, and whether that is more than noise."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from auto_quantize_model.baselines.differences import ABSENT, Difference, differences_in
from auto_quantize_model.manifest.document import RECIPE_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auto_quantize_model.cases.settings import Tolerances

Verdict = Literal["identical", "within_noise", "drift", "incomparable"]
Measure = Literal["importance", "predicted_kl"]

_MEASURES: tuple[Measure, ...] = ("importance", "predicted_kl")
_INPUTS = ("case", "scheme", "model", "dataset", "calibration", "quantization")
_GROUP_INPUTS = ("modules", "formats", "costs")
_OUTCOMES = ("num_quantized_layers", "layers", "autoquant_state")
_BESIDE = ("environment", "engine")
_GROUPS = "layer_sensitivity"
_TOTAL = "autoquant_state.score"
_MOST_DIFFERENCES = 6
_MOST_GROUPS = 5
_READABLE = (1e-3, 1e4)
"""Ratios between these are shown with three decimals, others in scientific notation."""


@dataclasses.dataclass(frozen=True, slots=True)
class GroupChange:
    """One number of one group, in the baseline and in the run."""

    group: str
    measure: Measure
    old: float
    new: float
    within: bool
    """Whether the two agree within the tolerance."""

    @property
    def ratio(self) -> float | None:
        """The new number as a multiple of the old one; None where there is no such multiple."""
        return _ratio(self.old, self.new)

    @property
    def distance(self) -> float:
        """The difference as a share of the larger number: 0 for the same, 2 for opposite ones."""
        if self.old == self.new:
            return 0.0
        if not (math.isfinite(self.old) and math.isfinite(self.new)):
            return math.inf
        larger = max(abs(self.old), abs(self.new))
        return abs(self.old / larger - self.new / larger)


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """How a run's manifest differs from its baseline, and what that amounts to."""

    verdict: Verdict
    differences: tuple[Difference, ...]
    """What must be the same and is not: first what went in, then what came out. Numbers with a tolerance are below."""
    beside: tuple[Difference, ...]
    """What decides nothing but may be the cause: versions, device, engine."""
    groups: tuple[GroupChange, ...]
    """Every number that both manifests have, the one that moved most first."""
    total_old: float | None
    total_new: float | None
    tolerances: Tolerances

    @property
    def moved(self) -> tuple[GroupChange, ...]:
        """The numbers that are not exactly the same."""
        return tuple(change for change in self.groups if change.old != change.new)

    @property
    def worst(self) -> GroupChange | None:
        """The number that moved most; None where none moved."""
        return next(iter(self.moved), None)

    @property
    def drifted_groups(self) -> tuple[str, ...]:
        """The groups with a number outside its tolerance, the worst first."""
        return tuple(dict.fromkeys(change.group for change in self.groups if not change.within))

    @property
    def total_ratio(self) -> float | None:
        """The new total score as a multiple of the old one; None where there is no such multiple."""
        if self.total_old is None or self.total_new is None:
            return None
        return _ratio(self.total_old, self.total_new)

    @property
    def total_within(self) -> bool:
        """Whether the total scores agree; a total that only one has is among the differences."""
        return _agree(self.total_old, self.total_new, self.tolerances.total)


def compare(baseline: Mapping[str, Any], manifest: Mapping[str, Any], tolerances: Tolerances) -> Comparison:
    """Compare a run's manifest with its baseline.

    Two numbers agree when they differ by at most the tolerance times the larger of the two, so that the verdict does
    not depend on which of them is the baseline. A predicted KL that only one engine gives is left out.
    """
    inputs = [*differences_in(_INPUTS, baseline, manifest), *_group_inputs(baseline, manifest)]
    outcomes = [*differences_in(_OUTCOMES, baseline, manifest), *_group_outcomes(baseline, manifest)]
    total_old, total_new = _total(baseline), _total(manifest)
    if total_old is not None and total_new is not None:
        outcomes = [each for each in outcomes if each.key != _TOTAL]
    groups = sorted(_group_changes(baseline, manifest, tolerances.group), key=_most_moved_first)
    found = Comparison(
        verdict="within_noise",
        differences=(*inputs, *outcomes),
        beside=tuple(differences_in(_BESIDE, baseline, manifest)),
        groups=tuple(groups),
        total_old=total_old,
        total_new=total_new,
        tolerances=tolerances,
    )
    return dataclasses.replace(found, verdict=_verdict(found, inputs))


def _most_moved_first(change: GroupChange) -> float:
    """Rounded, so that a group's two numbers, which move together, keep their order."""
    return -float(f"{change.distance:.6g}")


def _verdict(found: Comparison, inputs: Sequence[Difference]) -> Verdict:
    if inputs:
        return "incomparable"
    if found.differences or found.drifted_groups or not found.total_within:
        return "drift"
    return "within_noise" if found.moved or found.total_old != found.total_new else "identical"


def _group_inputs(baseline: Mapping[str, Any], manifest: Mapping[str, Any]) -> Iterator[Difference]:
    before, after = _mapping(baseline, _GROUPS), _mapping(manifest, _GROUPS)
    for name in {**before, **after}:
        key = f"{_GROUPS}.{name}"
        if name in before and name in after:
            yield from differences_in(_GROUP_INPUTS, before[name], after[name], f"{key}.")
        else:
            yield Difference(key, before.get(name, ABSENT), after.get(name, ABSENT))


def _group_outcomes(baseline: Mapping[str, Any], manifest: Mapping[str, Any]) -> Iterator[Difference]:
    for name, old, new in _common_groups(baseline, manifest):
        yield from differences_in(("status",), old, new, f"{_GROUPS}.{name}.")
        if (_number(old.get("importance")) is None) != (_number(new.get("importance")) is None):
            yield from differences_in(("importance",), old, new, f"{_GROUPS}.{name}.")


def _group_changes(baseline: Mapping[str, Any], manifest: Mapping[str, Any], tolerance: float) -> Iterator[GroupChange]:
    for name, before, after in _common_groups(baseline, manifest):
        for measure in _MEASURES:
            old, new = _number(before.get(measure)), _number(after.get(measure))
            if old is not None and new is not None:
                yield GroupChange(name.removesuffix(RECIPE_SUFFIX), measure, old, new, _agree(old, new, tolerance))


def _common_groups(
    baseline: Mapping[str, Any], manifest: Mapping[str, Any]
) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    before, after = _mapping(baseline, _GROUPS), _mapping(manifest, _GROUPS)
    yield from ((name, before[name], after[name]) for name in before if name in after)


def _total(manifest: Mapping[str, Any]) -> float | None:
    return _number(_mapping(manifest, "autoquant_state").get("score"))


def _mapping(manifest: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = manifest.get(key)
    return found if isinstance(found, Mapping) else {}


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _agree(old: float | None, new: float | None, tolerance: float) -> bool:
    return old is None or new is None or math.isclose(old, new, rel_tol=tolerance, abs_tol=0.0)


def _ratio(old: float, new: float) -> float | None:
    ratio = new / old if old else math.nan
    return ratio if math.isfinite(ratio) else None


def summary(comparison: Comparison) -> str:
    """The verdict and what decided it, in one line."""
    return f"{comparison.verdict}: {', '.join(_reasons(comparison))}"


def explain(comparison: Comparison) -> Iterator[str]:
    """The lines for someone who must decide what a difference means; the first is the summary."""
    yield summary(comparison)
    yield from _first_few([f"  {each}" for each in comparison.differences])
    if comparison.total_old != comparison.total_new:
        yield _total_line(comparison)
    yield from _group_table(comparison)
    if comparison.beside:
        yield "  beside, perhaps the cause:"
        yield from _first_few([f"    {each}" for each in comparison.beside])


def _reasons(comparison: Comparison) -> Iterator[str]:
    """What decided, each with the foremost example."""
    tolerances, drifted, worst = comparison.tolerances, comparison.drifted_groups, comparison.worst
    if comparison.verdict == "identical":
        yield "every number is the same"
    if comparison.verdict == "within_noise":
        yield f"no group moved by more than {tolerances.group:.3g} of its number"
    if comparison.verdict == "incomparable":
        yield f"it is of something else than its baseline ({comparison.differences[0]})"
    elif comparison.differences:
        yield f"{_count(len(comparison.differences), 'outcome')} not as before ({comparison.differences[0]})"
    if drifted and worst is not None:
        ratio = _shown(worst.ratio)
        yield f"{_count(len(drifted), 'group')} beyond the tolerance of {tolerances.group:.3g} ({worst.group} {ratio})"
    if not comparison.total_within:
        yield f"the total beyond the tolerance of {tolerances.total:.3g} ({_shown(comparison.total_ratio)})"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _first_few(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:_MOST_DIFFERENCES]
    if len(lines) > _MOST_DIFFERENCES:
        indent = lines[0][: len(lines[0]) - len(lines[0].lstrip())]
        yield f"{indent}... and {len(lines) - _MOST_DIFFERENCES} more"


def _group_table(comparison: Comparison) -> Iterator[str]:
    """The groups that moved most, each with the one of its numbers that moved most; those within only if all are."""
    moved = [each for each in comparison.moved if not (each.within and comparison.drifted_groups)]
    worst: dict[str, GroupChange] = {}
    for change in moved:
        worst.setdefault(change.group, change)
    if not worst:
        return
    shown = list(worst.values())[:_MOST_GROUPS]
    cells = [
        ("group", "measure", "old", "new", "ratio"),
        *((each.group, each.measure, f"{each.old:.4e}", f"{each.new:.4e}", _shown(each.ratio)) for each in shown),
    ]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    for row in cells:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    if len(worst) > len(shown):
        yield f"  ... and {len(worst) - len(shown)} more"


def _total_line(comparison: Comparison) -> str:
    totals = (comparison.total_old, comparison.total_new)
    old, new = ("none" if each is None else f"{each:.4e}" for each in totals)
    ratio, tolerance = _shown(comparison.total_ratio), f"{comparison.tolerances.total:.3g}"
    return f"  total score: {old} -> {new} ({ratio}, tolerance {tolerance})"


def _shown(ratio: float | None) -> str:
    if ratio is None:
        return "n/a"
    least, most = _READABLE
    return f"x{ratio:.3f}" if least <= abs(ratio) < most else f"x{ratio:.3e}"
