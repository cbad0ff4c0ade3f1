"""How two manifests of any age differ, and whether that is more than noise."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, Literal

from auto_quantize_model.comparison import measured_kl
from auto_quantize_model.comparison.bands import MACHINE, choose_band
from auto_quantize_model.comparison.causes import causes
from auto_quantize_model.comparison.differences import ABSENT, Difference, differences_in
from auto_quantize_model.comparison.matching import match_groups
from auto_quantize_model.manifest.document import mapping
from auto_quantize_model.manifest.older import is_older, normalised, same_model
from auto_quantize_model.manifest.schema import RECIPE_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from auto_quantize_model.cases.settings import Tolerances
    from auto_quantize_model.comparison.bands import ChosenBand
    from auto_quantize_model.comparison.causes import Cause
    from auto_quantize_model.comparison.matching import MatchedGroup, Matching

Verdict = Literal["identical", "within_noise", "drift", "incomparable"]
Measure = Literal["importance", "predicted_kl", "measured_kl", "scores"]

VERDICTS: tuple[Verdict, ...] = ("identical", "within_noise", "drift", "incomparable")
"""From the best to the worst."""

_INPUTS = ("case", "scheme", "model", "dataset", "calibration", "quantization")
_GROUP_INPUTS = ("modules", "formats", "costs", "cost_weight", "score_boundary")
_OUTCOMES = ("num_quantized_layers", "layers", "autoquant_state")
_GROUPS = "layer_sensitivity"
_MEASURES: tuple[Measure, ...] = ("importance", "predicted_kl", "measured_kl")
_WHOLE = "all quantized groups"
_OF_PREDICTED = 5
"""How much further than a score a predicted KL may move: its terms have signs, so that one input that another processor
rounds to the other side moves their sum by more: 2.8 % of a group whose score moved by 0.03 %, of 16 captions."""
_MOST_FOR_PREDICTED = 0.5
_TOTAL = "autoquant_state.score"


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
    """How a manifest differs from its baseline, or from any other, and what that amounts to."""

    verdict: Verdict
    inputs: tuple[Difference, ...]
    """What went in and is not the same: then the numbers are not of the same thing."""
    outcomes: tuple[Difference, ...]
    """What came out otherwise, but for the numbers that have a tolerance."""
    circumstances: tuple[Difference, ...]
    """What decides nothing but may be the cause: versions, device, engine."""
    causes: tuple[Cause, ...]
    """What may have moved the numbers, the most likely first."""
    groups: tuple[GroupChange, ...]
    """Every number of a group that both manifests have, the one that moved most first."""
    measured: GroupChange | None
    """The measured KL of all quantized groups together; None where one was not measured, or on other captions."""
    total_old: float | None
    total_new: float | None
    band: ChosenBand
    unstated: tuple[str, ...]
    """What only one of the two states, where one is an older manifest: that decides nothing."""
    redefined: tuple[str, ...]
    """Numbers that the two estimate in different ways, as one is of an earlier schema: they are not compared."""
    unmeasured: tuple[str, ...]
    """Groups that only one of the two has, without a number, where one is an older manifest."""

    @property
    def differences(self) -> tuple[Difference, ...]:
        """What must be the same and is not: first what went in, then what came out."""
        return (*self.inputs, *self.outcomes)

    @property
    def moved(self) -> tuple[GroupChange, ...]:
        """The numbers that are not exactly the same."""
        return tuple(change for change in self._numbers if change.old != change.new)

    @property
    def worst(self) -> GroupChange | None:
        """The number that moved most; None where none moved."""
        return next(iter(self.moved), None)

    @property
    def drifted_groups(self) -> tuple[str, ...]:
        """The groups with a number outside its tolerance, the worst first."""
        return tuple(dict.fromkeys(change.group for change in self._numbers if not change.within))

    @property
    def _numbers(self) -> list[GroupChange]:
        return sorted([*self.groups, *([] if self.measured is None else [self.measured])], key=_most_moved_first)

    @property
    def total_ratio(self) -> float | None:
        """The new total score as a multiple of the old one; None where there is no such multiple."""
        if self.total_old is None or self.total_new is None:
            return None
        return _ratio(self.total_old, self.total_new)

    @property
    def total_within(self) -> bool:
        """Whether the total scores agree; a total that only one has is among the differences."""
        return _agree(self.total_old, self.total_new, self.band.total)


def compare(baseline: Mapping[str, Any], manifest: Mapping[str, Any], tolerances: Tolerances) -> Comparison:
    """Compare a manifest with its baseline, or with any other manifest.

    Two numbers agree when they differ by at most the tolerance times the larger of the two, so that the verdict does
    not depend on which of them is the baseline. A predicted KL that only one engine gives is left out. Where one of
    the two is an older manifest, or of an earlier schema, only what both state in the same way is compared.
    """
    redefined = _redefined(baseline, manifest)
    partial = bool(redefined) or is_older(baseline) or is_older(manifest)
    old, new = _comparable(baseline, manifest, redefined) if partial else (baseline, manifest)
    matching, band = match_groups(old, new), choose_band(old, new, tolerances)
    total_old, total_new = _total(old), _total(new)
    both_have_total = total_old is not None and total_new is not None
    differences = _Differences(
        inputs=[*differences_in(_INPUTS, old, new), *_group_inputs(matching, measured_only=partial)],
        outcomes=[*_outcomes(old, new, but=_TOTAL if both_have_total else None), *_group_outcomes(matching)],
        circumstances=list(differences_in(MACHINE, old, new)),
    )
    unstated = differences.drop_what_one_states() if partial else []
    lone = list(_lone_groups(matching))
    unmeasured = [each for each in lone if partial and not _is_measured(each.new if each.old is ABSENT else each.old)]
    inputs = [*differences.inputs, *(each for each in lone if each not in unmeasured)]
    groups = sorted(_group_changes(matching, band, _measured_alike(old, new)), key=_most_moved_first)
    comparison = Comparison(
        verdict="within_noise",
        inputs=tuple(inputs),
        outcomes=tuple(differences.outcomes),
        circumstances=tuple(differences.circumstances),
        causes=causes((*inputs, *differences.circumstances), old, new),
        groups=tuple(groups),
        measured=_measured_change(old, new, band),
        total_old=total_old,
        total_new=total_new,
        band=band,
        unstated=tuple(unstated),
        redefined=redefined,
        unmeasured=tuple(each.key.removeprefix(f"{_GROUPS}.").removesuffix(RECIPE_SUFFIX) for each in unmeasured),
    )
    return dataclasses.replace(comparison, verdict=_verdict(comparison))


@dataclasses.dataclass(slots=True)
class _Differences:
    """What differs, by what it means."""

    inputs: list[Difference]
    outcomes: list[Difference]
    circumstances: list[Difference]

    def drop_what_one_states(self) -> list[str]:
        """Keep what both state; returns the keys of the rest, each once for all layers or groups."""
        dropped = [each for each in (*self.inputs, *self.outcomes, *self.circumstances) if not _both_state(each)]
        self.inputs, self.outcomes, self.circumstances = (
            [each for each in kept if _both_state(each)] for kept in (self.inputs, self.outcomes, self.circumstances)
        )
        return list(dict.fromkeys(_once_for_all(each.key) for each in dropped))


def _verdict(comparison: Comparison) -> Verdict:
    if comparison.inputs:
        return "incomparable"
    if comparison.outcomes or comparison.drifted_groups or not comparison.total_within:
        return "drift"
    same_total = None in (comparison.total_old, comparison.total_new) or comparison.total_old == comparison.total_new
    return "identical" if same_total and not comparison.moved else "within_noise"


def _most_moved_first(change: GroupChange) -> float:
    """Rounded, so that a group's two numbers, which move together, keep their order."""
    return -float(f"{change.distance:.6g}")


def _redefined(baseline: Mapping[str, Any], manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """An unversioned manifest has no predicted KL at all."""
    versions = {each.get("schema_version") for each in (baseline, manifest)} - {None}
    return ("predicted_kl",) if len(versions) > 1 else ()


def _comparable(
    baseline: Mapping[str, Any], manifest: Mapping[str, Any], redefined: tuple[str, ...]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two manifests, one of them at least an older one, without what their tools only write differently."""
    both = normalised(baseline), normalised(manifest)
    one, other = (mapping(each, "model").get("id") for each in both)
    alike = one is not None and other is not None and same_model(one, other)
    other_layers = mapping(both[0], "layers").keys() != mapping(both[1], "layers").keys()
    for each in both:
        each[_GROUPS] = {
            name: {key: value for key, value in entry.items() if key not in redefined}
            for name, entry in mapping(each, _GROUPS).items()
        }
        each["autoquant_state"] = _without(mapping(each, "autoquant_state"), "keys")
        if alike:
            each["model"] = _without(mapping(each, "model"), "id")
        if other_layers:
            each.pop("num_quantized_layers", None)
    return both


def _without(value: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: inner for name, inner in value.items() if name != key}


def _both_state(difference: Difference) -> bool:
    """Whether it decides: a score that only one of the two has does, for then there is nothing to compare."""
    return ABSENT not in (difference.old, difference.new) or difference.key.endswith(".importance")


def _once_for_all(key: str) -> str:
    if key.startswith("layers."):
        return "layers"
    if key.startswith(f"{_GROUPS}."):
        return f"{_GROUPS}.*.{key.rpartition('.')[2]}"
    return key


def _outcomes(old: Mapping[str, Any], new: Mapping[str, Any], but: str | None) -> Iterator[Difference]:
    yield from (each for each in differences_in(_OUTCOMES, old, new) if each.key != but)


def _lone_groups(matching: Matching) -> Iterator[Difference]:
    for name, entry in matching.only_old.items():
        yield Difference(f"{_GROUPS}.{name}", entry, ABSENT)
    for name, entry in matching.only_new.items():
        yield Difference(f"{_GROUPS}.{name}", ABSENT, entry)


def _is_measured(entry: Mapping[str, Any]) -> bool:
    return _number(entry.get("importance")) is not None


def _group_inputs(matching: Matching, *, measured_only: bool) -> Iterator[Difference]:
    for group in matching.both:
        if not measured_only or _is_measured(group.old) or _is_measured(group.new):
            yield from differences_in(_GROUP_INPUTS, group.old, group.new, f"{_GROUPS}.{group.key}.")


def _group_outcomes(matching: Matching) -> Iterator[Difference]:
    for group in matching.both:
        yield from differences_in(("status",), group.old, group.new, f"{_GROUPS}.{group.key}.")
        if _is_measured(group.old) != _is_measured(group.new):
            yield from differences_in(("importance",), group.old, group.new, f"{_GROUPS}.{group.key}.")


def _measured_alike(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether both were measured, on the same captions."""
    captions = [mapping(mapping(each, "measured"), "captions").get("sha256") for each in (old, new)]
    return captions[0] is not None and captions[0] == captions[1]


def _measured_change(old: Mapping[str, Any], new: Mapping[str, Any], band: ChosenBand) -> GroupChange | None:
    before, after = (_number(mapping(each, "measured").get("kl")) for each in (old, new))
    if before is None or after is None or not _measured_alike(old, new):
        return None
    intervals = mapping(old, "measured").get("kl_ci95"), mapping(new, "measured").get("kl_ci95")
    within = measured_kl.agree(before, after, intervals, band.total, elsewhere=_is_elsewhere(band))
    return GroupChange(_WHOLE, "measured_kl", before, after, within)


def _is_within(measure: Measure, old: float, new: float, group: MatchedGroup, band: ChosenBand) -> bool:
    match measure:
        case "measured_kl":
            intervals = group.old.get("measured_kl_ci95"), group.new.get("measured_kl_ci95")
            return measured_kl.agree(old, new, intervals, band.group, elsewhere=_is_elsewhere(band))
        case "predicted_kl":
            return _agree(old, new, min(band.group * _OF_PREDICTED, _MOST_FOR_PREDICTED))
        case _:
            return _agree(old, new, band.group)


def _is_elsewhere(band: ChosenBand) -> bool:
    return band.name != "same_environment"


def _group_changes(matching: Matching, band: ChosenBand, measured_alike: bool) -> Iterator[GroupChange]:
    for group in matching.both:
        name, edited = group.key.removesuffix(RECIPE_SUFFIX), _is_edited(group.old) or _is_edited(group.new)
        measures = [each for each in _MEASURES if measured_alike or each != "measured_kl"]
        for measure in (*measures, *(("scores",) if edited else ())):
            old, new = _measure(group.old, measure), _measure(group.new, measure)
            if old is not None and new is not None:
                yield GroupChange(name, measure, old, new, _is_within(measure, old, new, group, band))


def _measure(entry: Mapping[str, Any], measure: Measure) -> float | None:
    value = entry.get(measure)
    return _number(value[0] if isinstance(value, list) and value else value)


def _is_edited(entry: Mapping[str, Any]) -> bool:
    """Whether somebody changed one of two numbers that every tool writes alike: importance, and the first score."""
    importance, first = _measure(entry, "importance"), _measure(entry, "scores")
    return importance is not None and first is not None and importance != first


def _total(manifest: Mapping[str, Any]) -> float | None:
    return _number(mapping(manifest, "autoquant_state").get("score"))


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
