"""What of a model nobody knows the sensitivity of, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auto_quantize_model.manifest.schema import RECIPE_SUFFIX
from auto_quantize_model.scores import MEASURED

if TYPE_CHECKING:
    from collections.abc import Mapping

_WHY = {"not_exercised": "saw only zeros", "non_finite": "is not finite"}


def coverage_line(manifest: Mapping[str, Any]) -> str | None:
    """How much was scored, what the largest rest is and why; None where all was."""
    fraction: float = manifest["scheme"]["coverage_fraction"]
    rest = {
        name.removesuffix(RECIPE_SUFFIX): entry
        for name, entry in manifest["layer_sensitivity"].items()
        if entry["status"] not in (*MEASURED, "disabled")
    }
    if not rest:
        return None
    largest = max(rest, key=lambda name: float(rest[name]["costs"][-1]))
    entry = rest[largest]
    why = entry.get("reason") or f"it {_WHY.get(entry['status'], entry['status'])}"
    rows = f"{len(rest)} rows have" if len(rest) > 1 else "one row has"
    return f"{shown_share(fraction)} of the weights were scored; {rows} no score, the largest '{largest}': {why}"


def shown_share(fraction: float) -> str:
    """A share in percent that rounds to all only where it is."""
    return f"{min(fraction * 100, 99.99 if fraction < 1 else 100):.4g} %"
