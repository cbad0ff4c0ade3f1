"""The `quantization_config` of a compressed-tensors checkpoint: what vLLM and transformers read in its config.json."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from auto_quantize_model.errors import InputError
from auto_quantize_model.precision.formats import NVFP4_BLOCK_SIZE, NVFP4_SCALE_BITS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auto_quantize_model.recipes.candidates import Source
    from auto_quantize_model.recipes.recipe import Recipe

_MIXED = "mixed-precision"
_INT8 = 8
_FP8 = [4, 3]
_FP4 = [2, 1]
_FP4_BITS = 4
_OTHER_TOWERS = ("re:.*visual.*", "re:.*vision.*")
_WITH_TOWERS = ("qwen3_vl", "vlm")


def quantization_config(recipe: Recipe) -> dict[str, Any]:
    """A group of modules a pair, each module by its name; all others are left as they are, by name as well."""
    recipe.refuse_stacked("compressed-tensors")
    groups = {f"group_{number}": _group(recipe, source) for number, source in enumerate(recipe.used)}
    formats = {group["format"] for group in groups.values()}
    return {
        "quant_method": "compressed-tensors",
        "quantization_status": "compressed",
        "format": formats.pop() if len(formats) == 1 else _MIXED,
        "config_groups": groups,
        "ignore": ignored(recipe),
    }


def quantization_config_json(recipe: Recipe) -> str:
    """The same as a file."""
    return json.dumps(quantization_config(recipe), indent=2) + "\n"


def _group(recipe: Recipe, source: Source) -> dict[str, Any]:
    weights, inputs = source.quantizer("weight_quantizer"), source.quantizer("input_quantizer")
    args = quantization_args(weights, dynamic=False)
    input_args = None if inputs is None else quantization_args(inputs, dynamic="local")
    if args is None or (inputs is not None and (input_args is None or _kind(input_args) != _kind(args))):
        raise InputError(
            f"compressed-tensors has no format for the pair '{source.pair}' that is written here; leave it out"
        )
    return {
        "targets": recipe.names_of(recipe.modules_of(source.pair)),
        "weights": args,
        "input_activations": input_args,
        "output_activations": None,
        "format": _format(args, input_args),
    }


def _kind(args: Mapping[str, Any]) -> tuple[str, int]:
    return args["type"], args["num_bits"]


def _format(args: Mapping[str, Any], input_args: Mapping[str, Any] | None) -> str:
    if args["num_bits"] == _FP4_BITS:
        return "nvfp4-pack-quantized"
    # Integers that are not multiplied as such are packed.
    return "pack-quantized" if args["type"] == "int" and input_args is None else f"{args['type']}-quantized"


def quantization_args(attributes: Any, *, dynamic: bool | str) -> dict[str, Any] | None:
    """One side; None where there is no way to say it.

    NVFP4's blocks are scaled when they are seen, `dynamic`, under a scale that is calibrated.
    """
    if not isinstance(attributes, dict):
        return None
    blocks = attributes.get("block_sizes") or {}
    size = blocks.get("-1", blocks.get(-1))
    of_blocks = json.dumps([attributes.get("num_bits"), blocks.get("scale_bits"), size, blocks.get("type")])
    if of_blocks != json.dumps([_FP4, list(NVFP4_SCALE_BITS), NVFP4_BLOCK_SIZE, "dynamic"]):
        return _one_scale_args(attributes)
    return {
        "num_bits": _FP4_BITS,
        "type": "float",
        "symmetric": True,
        "strategy": "tensor_group",
        "group_size": NVFP4_BLOCK_SIZE,
        "dynamic": dynamic,
        "scale_dtype": "torch.float8_e4m3fn",
    }


def _one_scale_args(attributes: Mapping[str, Any]) -> dict[str, Any] | None:
    """Scaled by tensor or by channel, and calibrated."""
    kinds = {json.dumps(_INT8): "int", json.dumps(_FP8): "float"}
    kind = kinds.get(json.dumps(attributes.get("num_bits")))
    if kind is None or attributes.get("block_sizes") or attributes.get("type") == "dynamic":
        return None
    strategy = {None: "tensor", 0: "channel"}.get(attributes.get("axis"))
    if strategy is None:
        return None
    return {"num_bits": 8, "type": kind, "symmetric": True, "strategy": strategy, "dynamic": False}


def ignored(recipe: Recipe) -> list[str]:
    """What stays as it is: modules by their names, and other towers."""
    family = recipe.choice.sources[0].manifest["model"]["family"]
    return [*recipe.names_of(recipe.unquantized_modules), *(_OTHER_TOWERS if family in _WITH_TOWERS else ())]
