"""What ModelOpt itself would choose from the same scores: its clamp, its order of formats, its solver."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from auto_quantize_model.errors import InputError
from auto_quantize_model.manifest.schema import RECIPE_SUFFIX
from auto_quantize_model.recipes.candidates import NONE, UNQUANTIZED_BITS

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
    searcher: Any = algorithms.AutoQuantizeGradientSearcher()
    searcher.cost_model = "weight"
    searcher.candidate_stats = {}
    for part in choice.parts:
        for name in part.names:
            scores = _scores(choice, name, part.why_left_out is not None)
            columns = [choice.pairs.index(pair) for pair in order]
            weights = _weights(choice, name)
            searcher.candidate_stats[name] = {
                "formats": order,
                "scores": np.minimum.accumulate([scores[pair] for pair in order]).tolist(),
                "costs": [weights * choice.bits[column] / UNQUANTIZED_BITS for column in columns],
            }
    # What it may not quantize is in its program too, and decides which of several equal choices it finds.
    kept = _kept(choice)
    for name, weights in kept.items():
        searcher.candidate_stats[name] = {"formats": [NONE], "scores": [0.0], "costs": [weights]}
    size = float(choice.weights.sum()) * bits / UNQUANTIZED_BITS + sum(kept.values())
    with warnings.catch_warnings():
        # Failing is told by what it returns.
        warnings.simplefilter("ignore")
        best, satisfied = searcher.run_search_with_stats(size)
    if not satisfied:
        raise InputError(f"ModelOpt's own search finds nothing at {bits:g} bits")
    return {name: str(its["format"]) for name, its in best.items() if name not in kept}


def _kept(choice: Candidates) -> dict[str, float]:
    """The rows that are never quantized, and their weights."""
    entries = choice.sources[0].manifest["layer_sensitivity"]
    return {
        key.removesuffix(RECIPE_SUFFIX): float(entry["costs"][0])
        for key, entry in entries.items()
        if entry["status"] == "disabled"
    }


def _scores(choice: Candidates, name: str, unmeasured: bool) -> dict[str, float]:
    """ModelOpt's score of each pair; what it could not measure it takes for harmless, with a score of zero."""
    scores = {NONE: 0.0}
    for source in choice.sources:
        value = source.manifest["layer_sensitivity"][name + RECIPE_SUFFIX]["importance"]
        scores[source.pair] = 0.0 if value is None or unmeasured else float(value)
    return scores


def _weights(choice: Candidates, name: str) -> float:
    return float(choice.sources[0].manifest["layer_sensitivity"][name + RECIPE_SUFFIX]["costs"][1])
