"""The rows of a report: one a group, the most sensitive first, what was not measured last."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from auto_quantize_model.manifest.older import implied_status, is_older
from auto_quantize_model.manifest.schema import RECIPE_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ADDED_KEYS = (
    "rank",
    "rank_ci95",
    "tie_band",
    "predicted_kl",
    "predicted_kl_stderr",
    "predicted_kl_ci95",
    "measured_kl",
    "measured_kl_ci95",
    "stderr",
    "ci95",
    "status",
    "split",
    "modules",
    "score_boundary",
    "cost_weight",
    "padding_sets_maximum",
    "calibration_stderr",
    "reason",
    "weight_share",
)
"""What newer manifests say of a group beyond the older tool's four columns."""

_BITS = re.compile(r"\(effective-bits: (?P<bits>\d+(?:\.\d+)?)\)$")


def rows(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A report's rows; keys that a manifest's age does not have stay missing."""
    newer = not is_older(manifest)
    entries = manifest["layer_sensitivity"]
    group_rows = [_row(name, entry, newer=newer) for name, entry in entries.items()]
    if not newer:
        _add_implied_statuses(group_rows, entries)
    return sorted(group_rows, key=_most_sensitive_first)


def short_name(layer: str) -> str:
    """A layer's name without what every layer of a language model begins with, for narrow tables."""
    return layer.removeprefix("model.").removeprefix("language_model.")


def _add_implied_statuses(group_rows: Sequence[dict[str, Any]], entries: Mapping[str, Any]) -> None:
    """Say which zeros of an older manifest were not measured; one without such zeros keeps the older tool's rows."""
    statuses = [implied_status(name, entry) for name, entry in entries.items()]
    if {"not_exercised", "disabled"}.isdisjoint(statuses):
        return
    for row, status in zip(group_rows, statuses, strict=True):
        row["status"] = status


def _row(name: str, entry: Mapping[str, Any], *, newer: bool) -> dict[str, Any]:
    row = {
        "layer": name.removesuffix(RECIPE_SUFFIX),
        **({"num_bits": _num_bits(entry)} if "formats" in entry else {}),
        **({"sensitivity": entry["importance"]} if "importance" in entry else {}),
        **({"size_cost": entry["costs"][0]} if "costs" in entry else {}),
    }
    return {**row, **{key: entry[key] for key in ADDED_KEYS if key in entry}} if newer else row


def _num_bits(entry: Mapping[str, Any]) -> float | None:
    match = _BITS.search(entry["formats"][0])
    return float(match["bits"]) if match else None


def _most_sensitive_first(row: Mapping[str, Any]) -> tuple[bool, float]:
    sensitivity = row.get("sensitivity")
    return sensitivity is None, -(sensitivity or 0.0)
