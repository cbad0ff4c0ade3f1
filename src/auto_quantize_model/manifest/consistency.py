"""Whether a manifest that keeps the JSON Schema can be true: what a number may be, and where it is said twice."""

from __future__ import annotations

import hashlib
import json
import math
from typing import TYPE_CHECKING, Any

from auto_quantize_model.manifest.schema import RECIPE_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SUM_TOLERANCE = 1e-9
"""For sums, whose last digits depend on the order of their terms."""
_MOST_BITS = 16


def nonsense(manifest: Mapping[str, Any]) -> Iterator[str]:
    """What no run can have written, one line each: it is refused wherever a manifest is read."""
    entries, layers = manifest["layer_sensitivity"], manifest["layers"]
    groups = sum(entry["importance"] is not None for entry in entries.values())
    for name, entry in entries.items():
        for problem in _entry(name, entry, layers, groups):
            yield f"layer_sensitivity.{name}: {problem}"
    yield from _members(entries, layers)
    yield from _order(entries)
    yield from _counts(manifest)
    yield from _bits(manifest)
    yield from _settled(manifest)


def inconsistencies(manifest: Mapping[str, Any]) -> Iterator[str]:
    """What contradicts itself, one line each: somebody changed one place of several that say the same."""
    entries = manifest["layer_sensitivity"]
    measured = {name: entry for name, entry in entries.items() if entry["importance"] is not None}
    for name, entry in measured.items():
        if entry["scores"][0] != entry["importance"]:
            yield f"{name}: scores[0] is {entry['scores'][0]!r}, importance is {entry['importance']!r}"
        split = entry["split"]
        if split is not None and None not in split.values():
            yield from _sum(f"{name}: importance", entry["importance"], split.values(), "the parts of its split")
    yield from _ranking(manifest, measured)
    quantized = {name for name, layer in manifest["layers"].items() if layer["quantized"]}
    if manifest["num_quantized_layers"] != len(quantized):
        yield f"num_quantized_layers is {manifest['num_quantized_layers']}, {len(quantized)} of `layers` are quantized"
    chosen = [entry for name, entry in entries.items() if name.removesuffix(RECIPE_SUFFIX) in quantized]
    scores, kl = ([entry[key] for entry in chosen] for key in ("importance", "predicted_kl"))
    if None not in scores:
        yield from _sum("autoquant_state.score", manifest["autoquant_state"]["score"], scores, "the quantized groups")
    if None not in kl and manifest.get("predicted_kl") is not None:
        yield from _sum("predicted_kl.sum", manifest["predicted_kl"]["sum"], kl, "the quantized groups")
    yield from _config_hash(manifest["quantization"])


def _entry(name: str, entry: Mapping[str, Any], layers: Mapping[str, Any], groups: int) -> Iterator[str]:
    lengths = {key: len(entry[key]) for key in ("formats", "scores", "costs")}
    if len(set(lengths.values())) > 1:
        yield f"{lengths['formats']} formats, {lengths['scores']} scores and {lengths['costs']} costs"
    if entry["modules"][0] != name.removesuffix(RECIPE_SUFFIX):
        yield f"it is not named after the first of its layers, '{entry['modules'][0]}'"
    yield from (f"'{layer}' is in `modules`, but not in `layers`" for layer in entry["modules"] if layer not in layers)
    if any(score is not None and score < 0 for score in entry["scores"]) or (entry["importance"] or 0) < 0:
        yield "a score is negative"
    if entry["costs"][0] > entry["costs"][-1]:
        yield f"quantized it costs {entry['costs'][0]:g}, more than unquantized, {entry['costs'][-1]:g}"
    if (entry.get("calibration_stderr") or 0) > (entry["stderr"] or math.inf) * (1 + _SUM_TOLERANCE):
        yield f"calibration_stderr is {entry['calibration_stderr']:g}, more than the whole, {entry['stderr']:g}"
    yield from _interval("ci95", entry["ci95"], entry["importance"])
    yield from _interval("predicted_kl_ci95", entry["predicted_kl_ci95"], entry["predicted_kl"])
    yield from _interval("measured_kl_ci95", entry["measured_kl_ci95"], entry["measured_kl"])
    yield from _interval("rank_ci95", entry["rank_ci95"], entry["rank"])
    for key, place in (("rank", entry["rank"]), ("tie_band", entry["tie_band"]), *_ends(entry["rank_ci95"])):
        if place is not None and not 1 <= place <= groups:
            yield f"{key} is {place}, of {groups} groups that were measured"


def _ends(interval: list[int] | None) -> Iterator[tuple[str, int]]:
    yield from (("rank_ci95", end) for end in interval or ())


def _interval(key: str, interval: list[float] | None, value: float | None) -> Iterator[str]:
    if interval is None:
        return
    low, high = interval
    if low > high:
        yield f"{key} goes from {low:g} down to {high:g}"
    elif value is None:
        yield f"{key} is an interval of nothing"
    elif not low <= value <= high:
        yield f"{key} goes from {low:g} to {high:g}, without its own value {value:g}"


def _members(entries: Mapping[str, Any], layers: Mapping[str, Any]) -> Iterator[str]:
    members = [layer for entry in entries.values() for layer in entry["modules"]]
    known = set(members)
    if len(known) < len(members):
        twice = next(layer for layer in members if members.count(layer) > 1)
        yield f"layer_sensitivity: '{twice}' is in two groups"
    alone = next((layer for layer in layers if layer not in known), None)
    if alone is not None:
        yield f"layers: '{alone}' is in no group of layer_sensitivity"


def _order(entries: Mapping[str, Any]) -> Iterator[str]:
    ranked = [entry for entry in entries.values() if entry["rank"] is not None]
    by_rank = sorted(ranked, key=lambda entry: int(entry["rank"]))
    if [entry["rank"] for entry in by_rank] != list(range(1, len(by_rank) + 1)):
        yield "layer_sensitivity: the ranks are not 1 to the number of measured groups, each once"
    bands = [entry["tie_band"] for entry in by_rank if entry["tie_band"] is not None]
    if bands != sorted(bands):
        yield "layer_sensitivity: a group of a higher rank has a lower tie_band"


def _counts(manifest: Mapping[str, Any]) -> Iterator[str]:
    calibration = manifest["calibration"]
    for smaller, larger in (
        ("scored_samples", "calibrated_samples"),
        ("scored_tokens", "calibrated_tokens"),
        ("loss_tokens", "scored_tokens"),
        ("scored_samples", "scored_tokens"),
    ):
        if calibration[smaller] > calibration[larger]:
            yield f"calibration.{smaller} is {calibration[smaller]}, more than {larger}, {calibration[larger]}"


def _bits(manifest: Mapping[str, Any]) -> Iterator[str]:
    places = {
        "scheme.auto_quantize_bits": manifest["scheme"]["auto_quantize_bits"],
        "quantization.effective_bits": manifest["quantization"]["effective_bits"],
        "autoquant_state.constraints.effective_bits": manifest["autoquant_state"]["constraints"]["effective_bits"],
    }
    for key, bits in places.items():
        if not 0 <= bits <= _MOST_BITS:
            yield f"{key} is {bits:g}; a weight has from 0 to {_MOST_BITS} bits"


def _settled(manifest: Mapping[str, Any]) -> Iterator[str]:
    total, statistics = manifest.get("predicted_kl"), manifest["statistics"]
    if total is not None:
        yield from _interval("predicted_kl.sum_ci95", total["sum_ci95"], total["sum"])
        yield from _interval("predicted_kl.whole_ci95", total["whole_ci95"], total["whole"])
    measured = manifest["measured"]
    for key in ("kl", "loss_change", "top1_agreement") if measured is not None else ():
        yield from _interval(f"measured.{key}_ci95", measured[f"{key}_ci95"], measured[key])
    if statistics is None:
        return
    scored = manifest["calibration"]["scored_samples"]
    if statistics["samples"] != scored:
        yield f"statistics.samples is {statistics['samples']}, calibration.scored_samples is {scored}"
    lengths = [prefix["samples"] for prefix in statistics["convergence"]]
    if lengths != sorted(set(lengths)) or lengths[-1] != scored:
        yield "statistics.convergence: its prefixes do not grow up to all scored captions"
    for prefix in statistics["convergence"]:
        for key in ("score", "predicted_kl"):
            if prefix[key] is not None and prefix[key]["median"] > prefix[key]["maximum"]:
                yield f"statistics.convergence: the median of {key} is above its maximum"


def _ranking(manifest: Mapping[str, Any], measured: Mapping[str, Any]) -> Iterator[str]:
    by_rank = sorted(measured, key=lambda name: measured[name]["rank"])
    ranked = [each["name"] for each in manifest["sensitivity_ranking"]]
    if ranked != by_rank:
        yield "sensitivity_ranking: its order is not that of the entries' ranks"
        return
    for each in manifest["sensitivity_ranking"]:
        importance = measured[each["name"]]["importance"]
        if each["importance"] != importance:
            yield f"sensitivity_ranking: {each['name']} has importance {each['importance']!r}, its entry {importance!r}"
    scores = [measured[name]["importance"] for name in by_rank]
    if scores != sorted(scores):
        yield "sensitivity_ranking: a group of a higher rank has a lower score"


def _sum(key: str, total: float | None, terms: Any, of: str) -> Iterator[str]:
    if total is None:
        return
    numbers = list(terms)
    expected, largest = math.fsum(numbers), max(map(abs, numbers), default=0.0)
    if not math.isclose(total, expected, rel_tol=_SUM_TOLERANCE, abs_tol=_SUM_TOLERANCE * largest):
        yield f"{key} is {total!r}, {of} add up to {expected!r}"


def _config_hash(quantization: Mapping[str, Any]) -> Iterator[str]:
    text = json.dumps(quantization["config"], sort_keys=True, separators=(",", ":"))
    expected = hashlib.sha256(text.encode()).hexdigest()
    if quantization["config_sha256"] != expected:
        yield f"quantization.config_sha256 is {quantization['config_sha256']}, that of the config is {expected}"
