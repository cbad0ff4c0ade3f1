"""Results as rows of a table, for pandas, polars, or a loop."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from auto_quantize_model.manifest.document import mapping
from auto_quantize_model.reports.rows import rows

if TYPE_CHECKING:
    from auto_quantize_model.run import CaseResult

_INTERVALS = ("ci95", "predicted_kl_ci95", "measured_kl_ci95", "rank_ci95")


def to_rows(results_or_manifests: Iterable[CaseResult | Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row a group a case: what `pandas.DataFrame(...)` and `polars.DataFrame(...)` read as a table.

    Takes what `run_cases` gives, or manifests of any age. A case that failed or was skipped has no manifest, and so no
    row. Every row has the same columns, of numbers, texts and None; what an older manifest, the engine or the status
    of a group leaves open is None, never zero. A case's rows come most sensitive first:

    - `case`, `model`, `pair`, `size`: which case;
    - `group`: its first layer; `layers`: how many layers share the precision; `status`; `bits` a weight;
    - `rank` (1 is the least sensitive), `rank_ci95_low`, `rank_ci95_high`, and `tie_band`, which groups share whose
      order the captions do not settle;
    - `score`, with `stderr`, `ci95_low` and `ci95_high`, and `calibration_stderr`, the calibration's part in them;
    - `predicted_kl` in nats per token, with `predicted_kl_stderr`, `predicted_kl_ci95_low`, `predicted_kl_ci95_high`;
    - `measured_kl` in nats per token, with `measured_kl_ci95_low` and `measured_kl_ci95_high`, where it was measured;
    - `size_cost`: the size of its weights in this format, in units of 16 bits.
    """
    return [row for manifest in _manifests(results_or_manifests) for row in _case_rows(manifest)]


def _manifests(given: object) -> Iterable[Mapping[str, Any]]:
    if isinstance(given, Mapping) or hasattr(given, "manifest"):
        raise TypeError("to_rows takes several results or manifests; put the one into a list")
    several = given if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    for result in several:
        manifest = getattr(result, "manifest", result)
        if isinstance(manifest, Mapping) and "layer_sensitivity" in manifest:
            yield manifest
        elif manifest is not None or result is None:
            what = f"{type(result).__name__} {reprlib.repr(result)}"
            raise TypeError(f"to_rows takes results of run_cases or manifests, not the {what}")


def _case_rows(manifest: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    case = mapping(manifest, "case")
    which = {
        "case": case.get("id"),
        "model": case.get("model", mapping(manifest, "model").get("id")),
        "pair": case.get("pair"),
        "size": case.get("size"),
    }
    for row in rows(manifest):
        yield which | _group_row(row)


def _group_row(row: Mapping[str, Any]) -> dict[str, Any]:
    modules = row.get("modules")
    ends = {key: row.get(key) or (None, None) for key in _INTERVALS}
    return {
        "group": row["layer"],
        "layers": None if modules is None else len(modules),
        "status": row.get("status"),
        "bits": row.get("num_bits"),
        "rank": row.get("rank"),
        "rank_ci95_low": ends["rank_ci95"][0],
        "rank_ci95_high": ends["rank_ci95"][1],
        "tie_band": row.get("tie_band"),
        "score": row.get("sensitivity"),
        "stderr": row.get("stderr"),
        "calibration_stderr": row.get("calibration_stderr"),
        "ci95_low": ends["ci95"][0],
        "ci95_high": ends["ci95"][1],
        "predicted_kl": row.get("predicted_kl"),
        "predicted_kl_stderr": row.get("predicted_kl_stderr"),
        "predicted_kl_ci95_low": ends["predicted_kl_ci95"][0],
        "predicted_kl_ci95_high": ends["predicted_kl_ci95"][1],
        "measured_kl": row.get("measured_kl"),
        "measured_kl_ci95_low": ends["measured_kl_ci95"][0],
        "measured_kl_ci95_high": ends["measured_kl_ci95"][1],
        "size_cost": row.get("size_cost"),
    }
