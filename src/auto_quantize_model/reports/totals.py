"""What the groups of a case come to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auto_quantize_model.manifest.document import mapping
from auto_quantize_model.manifest.schema import RECIPE_SUFFIX


def total_predicted_kl(manifest: Mapping[str, Any]) -> float | None:
    """The sum of the predicted KL of the groups that the search quantizes; None where the engine gave none."""
    layers = manifest["layers"]
    entries = manifest["layer_sensitivity"].values()
    measured = [entry for entry in entries if entry["predicted_kl"] is not None]
    if not measured:
        return None
    numbers = [entry["predicted_kl"] for entry in measured if layers[entry["modules"][0]]["quantized"]]
    return float(sum(numbers))


def chosen_groups(manifest: Mapping[str, Any]) -> dict[str, bool]:
    """Whether the search quantizes each group, as far as the manifest says; an older one may name layers otherwise."""
    layers = mapping(manifest, "layers")
    chosen = {}
    for name, entry in manifest["layer_sensitivity"].items():
        group = name.removesuffix(RECIPE_SUFFIX)
        first = (entry.get("modules") or [group])[0]
        layer = layers.get(first)
        if isinstance(layer, Mapping) and isinstance(layer.get("quantized"), bool):
            chosen[group] = layer["quantized"]
    return chosen
