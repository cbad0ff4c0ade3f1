"""Manifests of made-up models: many layers, experts, groups that were not measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.manifests import build, group_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from auto_quantize_model import Case

_NUMBERS = ("importance", "rank", "stderr", "ci95", "rank_ci95", "tie_band")
NOT_MEASURED = dict.fromkeys((*_NUMBERS, "predicted_kl", "predicted_kl_stderr", "predicted_kl_ci95"))


def with_groups(case: Case, groups: Iterable[Sequence[str]], layer: str = "model.layers") -> dict[str, Any]:
    """A manifest of groups that are named by their members below the layers, with costs that fall with the depth."""
    manifest = build(case)
    pattern = manifest["layer_sensitivity"][group_key(0)]
    entries: dict[str, Any] = {}
    for number, members in enumerate(groups):
        kl = 1e-2 / (1 + number)
        named = [f"{layer}.{member}" for member in members]
        entries[f"{named[0]}.quant_recipe"] = {
            **pattern,
            "modules": named,
            "predicted_kl": kl,
            "predicted_kl_ci95": [0.8 * kl, 1.2 * kl],
            "importance": kl / 30,
            "tie_band": 1 + number % 7,
        }
        manifest["layers"] |= {name: {"quantized": True, "module_type": "QuantLinear"} for name in named}
    manifest["layer_sensitivity"] = entries
    return manifest


def dense(case: Case, layers: int) -> dict[str, Any]:
    """Four groups a layer, as a dense model has them."""
    attention = [[f"{each}.self_attn.{part}_proj" for part in "qkv"] for each in range(layers)]
    others = ("self_attn.o_proj", "mlp.gate_proj", "mlp.down_proj")
    return with_groups(case, attention + [[f"{each}.{name}"] for name in others for each in range(layers)])
