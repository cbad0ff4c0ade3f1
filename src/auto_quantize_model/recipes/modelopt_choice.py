"""What ModelOpt itself would choose from the same scores: its clamp, its order of formats, its solver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from auto_quantize_model.engine.search import run_modelopts_search
from auto_quantize_model.errors import InputError
from auto_quantize_model.manifest.schema import RECIPE_SUFFIX
from auto_quantize_model.precision.formats import UNQUANTIZED_BITS
from auto_quantize_model.recipes.candidates import NONE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auto_quantize_model.precision.formats import ResolvedFormat
    from auto_quantize_model.recipes.candidates import Candidates


def modelopts_choice(choice: Candidates, formats: Mapping[str, ResolvedFormat], bits: float) -> dict[str, str]:
    """The pair, or `none`, of each group that `mtq.auto_quantize` chooses from all pairs at so many effective bits.

    It takes a format's score for at most that of the format before it, in the order of their compression.
    """
    from modelopt.torch.quantization import algorithms

    recipes = {algorithms.QuantRecipe(formats[pair].config, name=pair): pair for pair in choice.pairs[:-1]}
    recipes[algorithms.QuantRecipe(None)] = NONE
    order = [recipes[recipe] for recipe in sorted(recipes)]
    stats: dict[str, dict[str, Any]] = {}
    for part in choice.parts:
        for name in part.names:
            scores = _scores(choice, name)
            columns = [choice.pairs.index(pair) for pair in order]
            weights = _weights(choice, name)
            stats[name] = {
                "formats": order,
                "scores": np.minimum.accumulate([scores[pair] for pair in order]).tolist(),
                "costs": [weights * choice.bits[column] / UNQUANTIZED_BITS for column in columns],
            }
    # What it may not quantize is in its program too, and decides which of several equal choices it finds.
    kept = {name: float(entry["costs"][0]) for name, entry in choice.never_quantized.items()}
    for name, weights in kept.items():
        stats[name] = {"formats": [NONE], "scores": [0.0], "costs": [weights]}
    size = float(choice.weights.sum()) * bits / UNQUANTIZED_BITS + sum(kept.values())
    best, satisfied = run_modelopts_search(stats, size)
    if not satisfied:
        raise InputError(f"ModelOpt's own search finds nothing at {bits:g} bits")
    return {name: str(its["format"]) for name, its in best.items() if name not in kept}


def _scores(choice: Candidates, name: str) -> dict[str, float]:
    """ModelOpt's score of each pair; what it could not measure it takes for harmless, with a score of zero."""
    scores = {NONE: 0.0}
    for source in choice.sources:
        value = source.manifest["layer_sensitivity"][name + RECIPE_SUFFIX]["importance"]
        scores[source.pair] = 0.0 if value is None else float(value)
    return scores


def _weights(choice: Candidates, name: str) -> float:
    return float(choice.sources[0].manifest["layer_sensitivity"][name + RECIPE_SUFFIX]["costs"][-1])
