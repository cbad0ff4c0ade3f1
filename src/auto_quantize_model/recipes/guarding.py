"""The recipes that a suite guards: solved from committed manifests, compared with what is committed, published."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from auto_quantize_model.artifacts import RECIPE_FILES
from auto_quantize_model.baselines.folders import put_back, replace_folder
from auto_quantize_model.baselines.store import baseline_manifest
from auto_quantize_model.errors import InputError
from auto_quantize_model.pictures import recipe_figure
from auto_quantize_model.recipes.budget import checked_budget
from auto_quantize_model.recipes.document import recipe_json
from auto_quantize_model.recipes.files import recipe_files, renderers
from auto_quantize_model.recipes.proof import proof_from
from auto_quantize_model.recipes.recipe import read_source, solve_sources

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from auto_quantize_model.cases.suite import Case, RecipeCase
    from auto_quantize_model.recipes.proof import Proof
    from auto_quantize_model.recipes.recipe import Recipe

_RECIPE = "recipe.json"
_TOLERANCE = 1e-6
"""Sums in another order, on another processor."""
_SHARE_TOLERANCE = 0.01
"""A resample in which two choices are as good as each other may go either way there."""
_SHARES = ("stability", "shares", "settled")
_OF_MEASUREMENT = ("measured", "compared")
_OF_SHARES = ("open.times", "open.captions", "open.size", "open.score_size")
"""They follow from shares, in steps of two: a draw that goes the other way may move them by one."""
_PARETO = "pareto.json"
_NOT_TO_THE_BYTE = (_RECIPE, "recipe.md", _PARETO)
"""They hold what resamples come to, whose last digits depend on the machine; `recipe.json` is compared key by key."""
_OF_A_PROOF = ("checkpoint_sha256", "captions_sha256", "formats")
"""With the pairs of the groups, what was measured when a recipe was proved."""


def missing_manifests(recipe_case: RecipeCase) -> list[Case]:
    """The cases that a recipe needs and that have no baseline."""
    return [case for case in recipe_case.cases if not baseline_manifest(case).is_file()]


def solve_committed(recipe_case: RecipeCase) -> Recipe:
    """The recipe that the committed manifests give."""
    settings = recipe_case.recipe
    sources = [read_source(baseline_manifest(case)) for case in recipe_case.cases]
    budget: Any = settings.budget
    return solve_sources(sources, checked_budget(budget), settings.pins, recipe_case.runtime, settings.spaces)


def committed(recipe_case: RecipeCase) -> dict[str, Any] | None:
    """The committed `recipe.json`; None where there is none."""
    file = recipe_case.folder / _RECIPE
    try:
        document = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: cannot be read: {error}; publish the recipe again") from None
    if not isinstance(document, dict) or not {"assignment", "measured", "predicted_kl"} <= set(document):
        raise InputError(f"{file}: not a recipe; publish it again")
    return document


def drift(recipe_case: RecipeCase, recipe: Recipe, document: Mapping[str, Any]) -> Iterator[str]:
    """How a committed recipe differs from what the committed manifests give, one line each."""
    files = renderers(recipe, proof_from(document))
    fresh = json.loads(files[_RECIPE]())
    for group, entry in fresh["assignment"].items():
        old = document["assignment"].get(group, {}).get("pair")
        if old != entry["pair"]:
            yield f"{group}: committed {old}, the manifests give {entry['pair']}"
    for key, old, new in _differences("", document, fresh):
        yield f"{_RECIPE}: {key} is {old!r}, the manifests give {new!r}"
    for name, render in files.items():
        file = recipe_case.folder / name
        if not file.is_file():
            yield f"{file}: missing"
        elif name == recipe_figure.NAME:
            # Of the committed documents, whose digits are those of the machine that wrote them.
            if file.read_text(encoding="utf-8") != _committed_figure(recipe_case, document):
                yield f"{file}: not the figure of the files beside it"
        elif name not in _NOT_TO_THE_BYTE and file.read_text(encoding="utf-8") != render():
            yield f"{file}: not what the recipe gives"


def _committed_figure(recipe_case: RecipeCase, document: Mapping[str, Any]) -> str | None:
    """What the committed documents give; None where one of them is of another version of this tool."""
    try:
        pareto = json.loads((recipe_case.folder / _PARETO).read_bytes())
        return recipe_figure.render_recipe_figure(document, pareto)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def committed_proof(recipe: Recipe, document: Mapping[str, Any]) -> Proof | None:
    """What a committed recipe was measured as, where that still is the recipe which the manifests give."""
    proof = proof_from(document)
    fresh = json.loads(recipe_json(recipe, proof))
    pairs = [{group: entry.get("pair") for group, entry in each["assignment"].items()} for each in (document, fresh)]
    if pairs[0] != pairs[1] or any(document.get(key) != fresh[key] for key in _OF_A_PROOF):
        raise InputError("the manifests give another recipe than the one that was measured: measure it anew")
    return proof


def _differences(key: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys((*old, *new)):
            if name not in _OF_MEASUREMENT and name != "pair":
                yield from _differences(f"{key}.{name}".lstrip("."), old.get(name), new.get(name))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for one, other in zip(old, new, strict=True):
            yield from _differences(key, one, other)
    elif any(name in key.split(".") for name in _SHARES) and not isinstance(old or new, dict):
        # A pair that no resample chooses has no share.
        if not math.isclose(old or 0.0, new or 0.0, rel_tol=_SHARE_TOLERANCE, abs_tol=_SHARE_TOLERANCE):
            yield key, old, new
    elif key in _OF_SHARES:
        return
    elif isinstance(old, float) and isinstance(new, float):
        if not math.isclose(old, new, rel_tol=_TOLERANCE, abs_tol=1e-30):
            yield key, old, new
    elif old != new:
        yield key, old, new


def publish_recipe(recipe_case: RecipeCase, recipe: Recipe, proof: Proof | None) -> None:
    """Write a recipe over the committed one, all of its files or none."""
    put_back(recipe_case.models_root, recipe_case.folder)
    replace_folder(recipe_case.models_root, recipe_case.folder, recipe_files(recipe, proof), dropped=RECIPE_FILES)
