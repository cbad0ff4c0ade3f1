"""A recipe for llm-compressor, which quantizes and saves the model itself: its `oneshot` takes the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auto_quantize_model.errors import InputError
from auto_quantize_model.recipes.exports.compressed_tensors import ignored, quantization_args

if TYPE_CHECKING:
    from auto_quantize_model.recipes.candidates import Source
    from auto_quantize_model.recipes.recipe import Recipe


def llm_compressor_recipe(recipe: Recipe) -> dict[str, Any]:
    """One modifier with a group of modules a pair, each module by its name."""
    recipe.refuse_stacked("llm-compressor")
    groups = {f"group_{number}": _group(recipe, source) for number, source in enumerate(recipe.used)}
    modifier = {"config_groups": groups, "ignore": ignored(recipe)}
    return {"quantization_stage": {"quantization_modifiers": {"QuantizationModifier": modifier}}}


def llm_compressor_recipe_yaml(recipe: Recipe) -> str:
    """The same as a file."""
    import yaml

    return yaml.safe_dump(llm_compressor_recipe(recipe), sort_keys=False, width=120)


def _group(recipe: Recipe, source: Source) -> dict[str, Any]:
    weights = quantization_args(source.quantizer("weight_quantizer"), dynamic=False)
    inputs = source.quantizer("input_quantizer")
    input_args = None if inputs is None else quantization_args(inputs, dynamic="local")
    if weights is None or (inputs is not None and input_args is None):
        raise InputError(
            f"llm-compressor has no format for the pair '{source.pair}' that is written here; leave it out"
        )
    group: dict[str, Any] = {"targets": recipe.names_of(recipe.modules_of(source.pair)), "weights": weights}
    return group if input_args is None else {**group, "input_activations": input_args}
