"""The recipes of a model, as they lie beside its cases."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from auto_quantize_model.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

SETTLED = 0.95
"""A group of a recipe is settled where at least this share of the captions' resamples gives it the same pair."""
_NEEDED = {"recipe.json": {"effective_bits", "predicted_kl"}, "pareto.json": {"points"}}


def read_recipes(
    model: Path, content: Callable[[Path], bytes]
) -> dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """`recipe.json` and `pareto.json` of each recipe below a model's folder, by name."""
    folders = sorted(file.parent for file in (model / "recipes").glob("*/recipe.json"))
    return {
        folder.name: (_read(folder, "recipe.json", content), _read(folder, "pareto.json", content))
        for folder in folders
    }


def _read(folder: Path, name: str, content: Callable[[Path], bytes]) -> Mapping[str, Any]:
    file = folder / name
    try:
        document = json.loads(content(file))
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: cannot be read: {error}; publish the recipe again") from None
    if not isinstance(document, dict) or not _NEEDED[name] <= document.keys():
        raise InputError(f"{file}: not of a recipe; publish the recipe again")
    return document
