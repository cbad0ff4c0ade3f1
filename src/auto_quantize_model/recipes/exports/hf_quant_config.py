"""`hf_quant_config.json`, as ModelOpt writes it beside a checkpoint of mixed precision."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from auto_quantize_model.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from auto_quantize_model.recipes.candidates import Source
    from auto_quantize_model.recipes.recipe import Recipe

_MIXED = "MIXED_PRECISION"
_INT8 = 8
_FP8 = [4, 3]


def hf_quant_config(recipe: Recipe) -> dict[str, Any]:
    """Which quantization each layer has; a recipe of one format says it once, and names what is left out."""
    recipe.refuse_stacked("hf_quant_config.json")
    configs = {source.pair: layer_config(source) for source in recipe.used}
    of_module = {module: config for pair, config in configs.items() for module in recipe.modules_of(pair)}
    order = [module for part in recipe.choice.parts for module in part.modules if module in of_module]
    layers = {name: of_module[module] for module in order for name in recipe.names_of([module])}
    distinct = list({json.dumps(each, sort_keys=True): each for each in layers.values()}.values())
    quantization: dict[str, Any] = {"quant_algo": None, "kv_cache_quant_algo": None}
    if len(distinct) > 1:
        quantization |= {"quant_algo": _MIXED, "quantized_layers": layers}
    elif distinct:
        quantization |= {**distinct[0], "exclude_modules": _excluded(recipe, layers)}
    version = recipe.choice.sources[0].manifest["environment"].get("modelopt")
    return {"producer": {"name": "modelopt", "version": version}, "quantization": quantization}


def hf_quant_config_json(recipe: Recipe) -> str:
    """The same as a file."""
    return json.dumps(hf_quant_config(recipe), indent=4) + "\n"


def _excluded(recipe: Recipe, quantized: Collection[str]) -> list[str]:
    """Patterns of all that is left as it is; what is not excluded is taken for quantized, a vision tower too."""
    names = recipe.names_of(recipe.unquantized_modules)
    return sorted({*(_pattern(name, quantized) for name in names), *(f"{place}*" for place in recipe.beside)})


def _pattern(name: str, quantized: Collection[str]) -> str:
    """As ModelOpt writes it: of the patterns that match a name and nothing that is quantized, the shortest."""
    parts = name.split(".")
    for count in range(1, len(parts)):
        parent = ".".join(parts[:count])
        for pattern, start in ((f"{parent}*", parent), (f"{parent}.*", f"{parent}.")):
            if not any(each.startswith(start) for each in quantized):
                return pattern
    return name


def layer_config(source: Source) -> dict[str, Any]:
    """What ModelOpt calls a pair in a layer's line."""
    weights, inputs = source.quantizer("weight_quantizer"), source.quantizer("input_quantizer")
    in_one_step = isinstance(weights, dict) and isinstance(inputs, dict | None)
    named = _named(weights, inputs) if in_one_step else None
    if named is None:
        raise InputError(
            f"hf_quant_config.json has no name for the pair '{source.pair}'; leave it out, or take --runtime modelopt"
        )
    return named


def _named(weights: Mapping[str, Any], inputs: Mapping[str, Any] | None) -> dict[str, Any] | None:
    bits, blocks = weights.get("num_bits"), weights.get("block_sizes")
    input_bits = None if inputs is None else inputs.get("num_bits")
    if bits == _INT8:
        if inputs is None:
            return {"quant_algo": "W8A16"}
        return {"quant_algo": "W8A8_SQ_PER_CHANNEL"} if input_bits == _INT8 else None
    if bits == _FP8 and not blocks and weights.get("axis") is None:
        return {"quant_algo": "FP8"} if input_bits == _FP8 else None
    if bits == [2, 1] and blocks:
        return _fp4(blocks, inputs)
    return None


def _fp4(blocks: Mapping[str, Any], inputs: Mapping[str, Any] | None) -> dict[str, Any] | None:
    size = {"group_size": blocks.get("-1")}
    input_bits = None if inputs is None else inputs.get("num_bits")
    match blocks.get("scale_bits"), input_bits:
        case [4, 3], None:
            return {"quant_algo": "W4A16_NVFP4", **size}
        case [4, 3], [4, 3]:
            return {"quant_algo": "W4A8_NVFP4_FP8", **size}
        case [4, 3], [2, 1]:
            return {"quant_algo": "NVFP4", **size}
        case [8, 0], [4, 3]:
            return {"quant_algo": "W4A8_MXFP4_FP8", **size}
    return None
