"""What the groups of a case come to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def total_predicted_kl(manifest: Mapping[str, Any]) -> float | None:
    """The sum of the predicted KL of the groups that the search quantizes; None where the engine gave none."""
    layers = manifest["layers"]
    entries = manifest["layer_sensitivity"].values()
    measured = [entry for entry in entries if entry["predicted_kl"] is not None]
    if not measured:
        return None
    numbers = [entry["predicted_kl"] for entry in measured if layers[entry["modules"][0]]["quantized"]]
    return float(sum(numbers))
