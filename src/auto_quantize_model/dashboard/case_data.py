"""What the page needs of one case, as plain JSON with a column for each number of a group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auto_quantize_model.manifest.document import mapping
from auto_quantize_model.manifest.older import is_older, model_name
from auto_quantize_model.pictures import case_figure
from auto_quantize_model.reports.doubtful import doubted
from auto_quantize_model.reports.enough_captions import is_settled
from auto_quantize_model.reports.headline import pair_name, ranked, sentences
from auto_quantize_model.reports.rows import rows
from auto_quantize_model.reports.totals import chosen_groups, total_predicted_kl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from auto_quantize_model.reports.headline import Ranked

_DIGITS = 4


def case_data(manifest: Mapping[str, Any], identifier: str, *, with_figure: bool) -> dict[str, Any]:
    """Everything that is shown of a case."""
    newer = not is_older(manifest)
    groups = ranked(rows(manifest))
    case = mapping(manifest, "case")
    statistics = manifest.get("statistics") if newer else None
    total = mapping(manifest, "predicted_kl") if newer else {}
    measured = mapping(manifest, "measured") if newer else {}
    return {
        "id": identifier,
        "model": str(case.get("model") or model_name(str(mapping(manifest, "model").get("id", "unknown")))),
        "pair": pair_name(manifest),
        "size": str(case.get("size", "")),
        "bits": _rounded(_bits(manifest)),
        "captions": mapping(manifest, "calibration").get("calibrated_samples"),
        "score": _rounded(mapping(manifest, "autoquant_state").get("score")),
        "predicted": _rounded(total_predicted_kl(manifest) if newer else None),
        "predictedInterval": _rounded_all(total.get("sum_ci95")),
        "measured": _rounded(measured.get("kl")),
        "measuredInterval": _rounded_all(measured.get("kl_ci95")),
        "settled": None if statistics is None else is_settled(statistics),
        "sentences": sentences(manifest, groups),
        "costliest": groups[0].place.label if groups and groups[0].cost is not None else None,
        "convergence": None if statistics is None else [_prefix(each) for each in statistics["convergence"]],
        "groups": [group.row["layer"] for group in groups],
        "columns": _columns(groups, manifest),
        "figure": case_figure.render(manifest) if with_figure else None,
    }


def group_names(manifest: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What is the same for a group in every case: where it is, and which layers it holds."""
    return {
        group.row["layer"]: {
            "label": group.place.label,
            "kind": group.place.kind,
            "depth": group.place.depth,
            "members": len(group.row.get("modules") or [group.row["layer"]]),
        }
        for group in ranked(rows(manifest))
    }


def _columns(groups: Iterable[Ranked], manifest: Mapping[str, Any]) -> dict[str, list[Any]]:
    """One list a number, in the order of the groups; a column of which nothing is known is left out."""
    chosen = chosen_groups(manifest)
    doubts = "measured" in manifest
    listed = [_group(group, chosen, doubts=doubts) for group in groups]
    columns = {key: [each[key] for each in listed] for key in (listed[0] if listed else ())}
    return {key: values for key, values in columns.items() if any(value not in (None, "") for value in values)}


def _group(group: Ranked, chosen: Mapping[str, bool], *, doubts: bool) -> dict[str, Any]:
    row = group.row
    interval, split = row.get("predicted_kl_ci95") or (None, None), row.get("split") or {}
    return {
        "kl": _rounded(row.get("predicted_kl")),
        "low": _rounded(interval[0]),
        "high": _rounded(interval[1]),
        "measured": _rounded(row.get("measured_kl")),
        # A zero that was not measured is no score.
        "score": None if group.cost is None else _rounded(row.get("sensitivity")),
        "rank": row.get("rank"),
        "band": row.get("tie_band"),
        "weights": _rounded(split.get("weights")),
        "activations": _rounded(split.get("activations")),
        "both": _rounded(split.get("interaction")),
        "status": row.get("status") or ("not known" if group.cost is None else "scored"),
        "quantized": chosen.get(row["layer"]),
        "doubt": ", ".join(doubted(row)) if doubts else "",
    }


def _bits(manifest: Mapping[str, Any]) -> float | None:
    bits = mapping(manifest, "quantization").get("effective_bits")
    constraint = mapping(mapping(manifest, "autoquant_state"), "constraints").get("effective_bits")
    return bits if isinstance(bits, int | float) else constraint if isinstance(constraint, int | float) else None


def _prefix(prefix: Mapping[str, Any]) -> list[Any]:
    off = mapping(prefix, "predicted_kl").get("median")
    return [prefix["samples"], _rounded(off), _rounded(prefix["spearman"]), prefix["top_ten_kept"]]


def _rounded_all(values: object) -> list[float | None] | None:
    return [_rounded(each) for each in values] if isinstance(values, list) else None


def _rounded(value: float | None) -> float | None:
    """To as many digits as a page shows; the manifest has them all."""
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, int | float) and not isinstance(value, bool) else None
