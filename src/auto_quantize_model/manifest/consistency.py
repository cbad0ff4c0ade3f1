"""Whether the numbers of a manifest agree with each other: some are written down more than once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from auto_quantize_model.manifest.document import RECIPE_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SUM_TOLERANCE = 1e-9
"""For sums, whose last digits depend on the order of their terms."""


def inconsistencies(manifest: Mapping[str, Any]) -> Iterator[str]:
    """What contradicts itself in a manifest that keeps the JSON Schema, one line each."""
    entries = manifest["layer_sensitivity"]
    measured = {name: entry for name, entry in entries.items() if entry["importance"] is not None}
    for name, entry in measured.items():
        if entry["scores"][0] != entry["importance"]:
            yield f"{name}: scores[0] is {entry['scores'][0]!r}, importance is {entry['importance']!r}"
    yield from _ranking(manifest, measured)
    quantized = {name for name, layer in manifest["layers"].items() if layer["quantized"]}
    if manifest["num_quantized_layers"] != len(quantized):
        yield f"num_quantized_layers is {manifest['num_quantized_layers']}, {len(quantized)} of `layers` are quantized"
    yield from _total(manifest["autoquant_state"]["score"], entries, quantized)


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


def _total(total: float | None, entries: Mapping[str, Any], quantized: set[str]) -> Iterator[str]:
    chosen = [entry["scores"][0] for name, entry in entries.items() if name.removesuffix(RECIPE_SUFFIX) in quantized]
    if total is None or None in chosen:
        return
    expected = math.fsum(chosen)
    if not math.isclose(total, expected, rel_tol=_SUM_TOLERANCE):
        yield f"autoquant_state.score is {total!r}, the quantized groups' scores add up to {expected!r}"
