"""`per-layer-sensitivity.json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auto_quantize_model.manifest.document import dumps
from auto_quantize_model.reports.rows import rows

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "per-layer-sensitivity.json"

_FIRST = ("scheme", "model", "autoquant_state")


def render(manifest: Mapping[str, Any]) -> str:
    """The report as text; a key that the manifest lacks is lacking here too."""
    report: dict[str, Any] = {key: manifest[key] for key in _FIRST if key in manifest}
    report.update({key: manifest[key] for key in ("predicted_kl", "measured") if key in manifest})
    report["layer_sensitivity"] = rows(manifest)
    report.update({key: manifest[key] for key in ("statistics", "dataset", "quantization") if key in manifest})
    run_config = {key: manifest[key] for key in ("case", "engine", "calibration") if key in manifest}
    if run_config:
        report["run_config"] = run_config
    return dumps(report)
