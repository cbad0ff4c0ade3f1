"""All files of a recipe, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auto_quantize_model.artifacts import RECIPE_FILES, RECIPE_NAMES, RUNTIME_NAMES
from auto_quantize_model.errors import InputError
from auto_quantize_model.pictures.recipe_figure import render_recipe_figure
from auto_quantize_model.recipes.document import (
    pareto_document,
    pareto_json,
    recipe_document,
    recipe_json,
    recipe_yaml,
)
from auto_quantize_model.recipes.exports.compressed_tensors import quantization_config_json
from auto_quantize_model.recipes.exports.hf_quant_config import hf_quant_config_json
from auto_quantize_model.recipes.exports.llm_compressor import llm_compressor_recipe_yaml
from auto_quantize_model.recipes.exports.quant_cfg import modelopt_recipe_yaml, quant_cfg_json
from auto_quantize_model.recipes.report import render_recipe
from auto_quantize_model.whole_files import write_files

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from auto_quantize_model.recipes.proof import Proof
    from auto_quantize_model.recipes.recipe import Recipe

_OF_RUNTIME = {
    "modelopt_recipe": modelopt_recipe_yaml,
    "compressed_tensors": quantization_config_json,
    "hf_quant_config": hf_quant_config_json,
    "llm_compressor": llm_compressor_recipe_yaml,
}


def write_recipe(folder: Path, files: Mapping[str, str]) -> None:
    """Write a recipe's files, unless another recipe left some there that would be taken for this one's."""
    for name in RECIPE_FILES:
        if name not in files and (folder / name).exists():
            raise InputError(
                f"{folder / name}: of another recipe, made for a runtime; remove it or name another folder"
            )
    write_files(folder, files)


def recipe_files(recipe: Recipe, proof: Proof | None) -> dict[str, str]:
    """What is written for a recipe; what cannot be expressed for its runtime is an `InputError`, and nothing is."""
    return {name: render() for name, render in renderers(recipe, proof).items()}


def renderers(recipe: Recipe, proof: Proof | None) -> dict[str, Callable[[], str]]:
    """What gives the text of each of a recipe's files."""
    of_every_recipe: tuple[Callable[[], str], ...] = (
        lambda: recipe_yaml(recipe),
        lambda: recipe_json(recipe, proof),
        lambda: render_recipe(recipe, proof),
        lambda: render_recipe_figure(recipe_document(recipe, proof), pareto_document(recipe)),
        lambda: pareto_json(recipe),
        lambda: quant_cfg_json(recipe),
    )
    files = dict(zip(RECIPE_NAMES, of_every_recipe, strict=True))
    if recipe.runtime is not None:
        form = recipe.runtime.writes
        files[RUNTIME_NAMES[form]] = lambda: _OF_RUNTIME[form](recipe)
    return files
