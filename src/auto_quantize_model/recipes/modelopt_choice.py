"""What ModelOpt itself would choose from the same scores: its clamp, its order of formats, its solver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from auto_quantize_model.engine.search import run_modelopts_search
from auto_quantize_model.errors import InputError
from auto_quantize_model.manifest.schema import RECIPE_SUFFIX
from auto_quantize_model.precision.formats import UNQUANTIZED_BITS
from auto_quantize_model.recipes.candidates import NONE, counted_weights
from auto_quantize_model.recipes.constraints import within_spaces

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from auto_quantize_model.cases.settings import SearchSpace
    from auto_quantize_model.precision.formats import ResolvedFormat
    from auto_quantize_model.recipes.candidates import Candidates


def modelopts_choice(
    choice: Candidates, formats: Mapping[str, ResolvedFormat], bits: float, spaces: Sequence[SearchSpace] = ()
) -> dict[str, str]:
    """The pair, or `none`, of each group that `mtq.auto_quantize` chooses from all pairs at so many effective bits.

    It takes a format's score for at most that of the format before it, in the order of their compression.
    """
    order = _order(choice.pairs[:-1], formats)
    allowed = within_spaces(choice, spaces)
    stats: dict[str, dict[str, Any]] = {}
    for row, part in enumerate(choice.parts):
        mine = [pair for pair in order if allowed[row, choice.pairs.index(pair)]]
        for name in part.names:
            scores = _scores(choice, name)
            counted = counted_weights(choice.sources[0].manifest["layer_sensitivity"][name + RECIPE_SUFFIX])
            stats[name] = {
                "formats": mine,
                "scores": np.minimum.accumulate([scores[pair] for pair in mine]).tolist(),
                "costs": [counted * choice.bits[choice.pairs.index(pair)] / UNQUANTIZED_BITS for pair in mine],
            }
    # What it may not quantize is in its program too, and decides which of several equal choices it finds.
    kept = {name: counted_weights(entry) for name, entry in choice.never_quantized.items()}
    for name, counted in kept.items():
        stats[name] = {"formats": [NONE], "scores": [0.0], "costs": [counted]}
    size = float(choice.counted.sum()) * bits / UNQUANTIZED_BITS + sum(kept.values())
    scheme = choice.sources[0].manifest["scheme"]
    cost_model = scheme.get("auto_quantize_cost_model", "weight")
    best, satisfied = run_modelopts_search(stats, size, scheme["auto_quantize_method"], cost_model)
    if not satisfied:
        raise InputError(f"ModelOpt's own search finds nothing at {bits:g} bits")
    return {name: str(its["format"]) for name, its in best.items() if name not in kept}


def _order(pairs: Sequence[str], formats: Mapping[str, ResolvedFormat]) -> list[str]:
    """The pairs in the order of their compression, as ModelOpt sorts them; the unquantized last."""
    from modelopt.torch.quantization import algorithms

    recipes = {algorithms.QuantRecipe(formats[pair].config, name=pair): pair for pair in pairs}
    recipes[algorithms.QuantRecipe(None)] = NONE
    return [recipes[each] for each in sorted(recipes)]


def _scores(choice: Candidates, name: str) -> dict[str, float]:
    """ModelOpt's score of each pair; what it could not measure it takes for harmless, with a score of zero."""
    scores = {NONE: 0.0}
    for source in choice.sources:
        value = source.manifest["layer_sensitivity"][name + RECIPE_SUFFIX]["importance"]
        scores[source.pair] = 0.0 if value is None else float(value)
    return scores
