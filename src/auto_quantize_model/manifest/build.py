"""From an engine's scores to the manifest."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from auto_quantize_model.manifest.confidence import NOT_KNOWN, describe_confidence
from auto_quantize_model.manifest.measured import NOT_MEASURED, describe_measured, measured_entry
from auto_quantize_model.manifest.schema import RECIPE_SUFFIX, SCHEMA_VERSION
from auto_quantize_model.manifest.total import describe_total
from auto_quantize_model.precision.formats import UNQUANTIZED_BITS, UNQUANTIZED_LABEL
from auto_quantize_model.scores import MEASURED
from auto_quantize_model.statistics.uncertainty import ranks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auto_quantize_model.cases.settings import AutoQuantSettings
    from auto_quantize_model.cases.suite import Case
    from auto_quantize_model.plan import SizePlan
    from auto_quantize_model.precision.formats import ResolvedFormat
    from auto_quantize_model.scores import CaseScores, Group, GroupScore, Selection, Status


@dataclasses.dataclass(frozen=True, slots=True)
class Weights:
    """What a manifest says of a checkpoint."""

    sha256: str
    parameters: int
    """How many numbers it has, those that are never quantized too."""


_STATE_KEYS = ("candidate_stats", "best", "constraints")


def build_manifest(
    case: Case,
    size: SizePlan,
    resolved: ResolvedFormat,
    scores: CaseScores,
    selection: Selection,
    checkpoint: Weights,
    environment: Mapping[str, str],
) -> dict[str, Any]:
    """Assemble a case's manifest: plain JSON values, in a fixed order."""
    measured = [score for score in scores.groups if score.status in MEASURED]
    confidence = describe_confidence(measured, scores.sample_tokens)
    entries = _layer_sensitivity(scores, resolved, measured, confidence.groups)
    layers = _layers(scores, selection)
    return {
        "schema_version": SCHEMA_VERSION,
        "case": {"id": case.id, "model": case.model.name, "pair": case.pair.name, "size": case.size},
        "scheme": _scheme(case, scores, selection),
        "model": {
            "id": case.model.hub_id or case.model.name,
            "family": case.model.family,
            "checkpoint_sha256": checkpoint.sha256,
            "parameters": checkpoint.parameters,
        },
        "engine": dict(scores.engine),
        "environment": dict(environment),
        "dataset": _dataset(case),
        "calibration": _calibration(case, size, scores),
        "quantization": {
            "format": resolved.name,
            "effective_bits": resolved.effective_bits,
            "config": resolved.resolved,
            "config_sha256": resolved.sha256,
        },
        "num_quantized_layers": sum(layer["quantized"] for layer in layers.values()),
        "layers": layers,
        **_in_checkpoint(scores),
        "autoquant_state": {
            "keys": list(_STATE_KEYS),
            "constraints": {"effective_bits": selection.effective_bits},
            "score": _finite(selection.score),
            "is_satisfied": selection.status in ("optimal", "partial"),
            "status": selection.status,
        },
        "predicted_kl": describe_total(scores, selection),
        "measured": describe_measured(scores),
        "layer_sensitivity": entries,
        "sensitivity_ranking": _ranking(entries),
        "statistics": confidence.statistics,
    }


def _scheme(case: Case, scores: CaseScores, selection: Selection) -> dict[str, Any]:
    return {
        "name": case.pair.scheme_name,
        "auto_quantize_bits": selection.budget_bits,
        "auto_quantize_method": case.autoquant.method,
        "auto_quantize_score_size": case.autoquant.score_size,
        "coverage_mode": "lm_only",
        "coverage_fraction": scores.coverage,
        "quant_formats": [case.pair.format.name],
        **_search_limits(case.autoquant),
    }


def _search_limits(autoquant: AutoQuantSettings) -> dict[str, Any]:
    """What is asked of the search beside a budget; only what is asked."""
    asked = {
        "auto_quantize_cost_model": autoquant.cost_model if autoquant.cost_model != "weight" else None,
        "disabled_layers": list(autoquant.disabled_layers),
        "cost_excluded_layers": list(autoquant.cost_excluded_layers),
    }
    return {key: value for key, value in asked.items() if value}


def _dataset(case: Case) -> dict[str, Any]:
    dataset, source = case.dataset, case.captions
    return {
        "name": dataset.name,
        "captions": source.name,
        **({} if source.of_lines else {"form": source.field.form, "key": source.field.name}),
        **({} if source.max_chars is None else {"max_chars": source.max_chars}),
        "max_calib_samples": dataset.max_calib_samples,
        "seq_len": dataset.seq_len,
        "padding_side": dataset.padding_side,
    }


def _calibration(case: Case, size: SizePlan, scores: CaseScores) -> dict[str, Any]:
    return {
        "calibrated_samples": size.samples,
        "calibrated_tokens": scores.calibrated_tokens,
        "scored_samples": size.scored_samples,
        "scored_tokens": scores.scored_tokens,
        "loss_tokens": scores.loss_tokens,
        "probes": case.autoquant.probes,
        "batch_size": case.autoquant.batch_size,
        "captions_sha256": size.captions_sha256,
    }


def _layers(scores: CaseScores, selection: Selection) -> dict[str, Any]:
    chosen = [
        *zip((score.group for score in scores.groups), selection.quantized, strict=True),
        *((score.group, False) for score in scores.left_out),
        (scores.head, False),
    ]
    return {
        name: {"quantized": quantized, "module_type": module_type}
        for group, quantized in chosen
        for name, module_type in zip(group.members, group.module_types, strict=True)
    }


def _in_checkpoint(scores: CaseScores) -> dict[str, Any]:
    """What the checkpoint's files call things; nothing where they say it as the model does, and hold nothing else."""
    its = scores.in_checkpoint
    if not (its.names or its.others):
        return {}
    names = [{"layer": layer, "name": name} for layer, name in its.names.items()]
    return {"in_checkpoint": {"names": names, "others": list(its.others)}}


def _layer_sensitivity(
    scores: CaseScores, resolved: ResolvedFormat, measured: list[GroupScore], sure: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    rank = ranks(np.array([score.score for score in measured], dtype=np.float64))
    rank_of = {score.group.name: int(each) for score, each in zip(measured, rank, strict=True)}

    def row(score: GroupScore) -> dict[str, Any]:
        if score.status == "not_covered":
            return _not_covered_entry(score, scores.weights_in_scope)
        if score.status == "disabled":
            return _unscored_entry(score.group, "disabled")
        return _entry(score, resolved, rank_of, sure)

    entries = {score.group.name + RECIPE_SUFFIX: row(score) for score in (*scores.groups, *scores.left_out)}
    entries[scores.head.name + RECIPE_SUFFIX] = _unscored_entry(scores.head, "disabled")
    return entries


def _entry(
    score: GroupScore, resolved: ResolvedFormat, rank_of: Mapping[str, int], sure: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    name, weights = score.group.name, score.group.weights
    return {
        "formats": [resolved.label, UNQUANTIZED_LABEL],
        "scores": [_finite(score.score), 0.0],
        "costs": [weights * resolved.effective_bits / UNQUANTIZED_BITS, float(weights)],
        "importance": score.score if name in rank_of else None,
        "rank": rank_of.get(name),
        **_cost_weight(score.group),
        "modules": list(score.group.members),
        **_boundary(score.group),
        **({"padding_sets_maximum": True} if score.padding_sets_maximum and name in rank_of else {}),
        **(_calibration_share(score) if name in rank_of else {}),
        "status": score.status,
        "predicted_kl": _finite(score.predicted_kl) if name in rank_of else None,
        **sure.get(name, NOT_KNOWN),
        **measured_entry(score.measured),
        "split": _split(score) if name in rank_of else None,
    }


def _calibration_share(score: GroupScore) -> dict[str, float | None]:
    """How much of the standard error is the calibration's; nothing where no input is calibrated."""
    if score.calibration is None:
        return {}
    spread = score.calibration.log_spread
    return {"calibration_stderr": None if spread is None else _finite(score.score * spread)}


def _split(score: GroupScore) -> dict[str, float | None] | None:
    """The score with either side alone quantized, and what both together add to the sum of the two."""
    if score.split is None:
        return None
    weights, activations = score.split.weights, score.split.activations
    parts = {"weights": weights, "activations": activations, "interaction": score.score - weights - activations}
    return {name: _finite(part) for name, part in parts.items()}


def _not_covered_entry(score: GroupScore, whole: int) -> dict[str, Any]:
    """What nobody knows the sensitivity of, with how much that is."""
    entry = _unscored_entry(score.group, score.status)
    return {**entry, "reason": score.reason, "weight_share": score.group.weights / whole}


def _unscored_entry(group: Group, status: Status) -> dict[str, Any]:
    return {
        "formats": [UNQUANTIZED_LABEL],
        "scores": [0.0],
        "costs": [float(group.weights)],
        "importance": None,
        "rank": None,
        **_cost_weight(group),
        "modules": list(group.members),
        "status": status,
        "predicted_kl": None,
        **NOT_KNOWN,
        **NOT_MEASURED,
        "split": None,
    }


def _cost_weight(group: Group) -> dict[str, float]:
    """What a budget counts of the costs; most cost models count all."""
    return {} if group.cost_weight == 1 else {"cost_weight": group.cost_weight}


def _boundary(group: Group) -> dict[str, list[str]]:
    """At whose output ModelOpt's rules score the group; most are scored at their own."""
    return {"score_boundary": list(group.elsewhere)} if group.elsewhere else {}


def _ranking(entries: Mapping[str, Any]) -> list[dict[str, Any]]:
    ranked = sorted((entry["rank"], name) for name, entry in entries.items() if entry["rank"] is not None)
    return [{"name": name, "importance": entries[name]["importance"]} for _, name in ranked]


def _finite(value: float | None) -> float | None:
    """JSON has no NaN; the status says why there is no number."""
    return value if value is not None and math.isfinite(value) else None
