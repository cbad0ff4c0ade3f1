"""What `run` shows of one of ModelOpt's own recipes: ModelOpt's choice for its budget, beside the best."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from auto_quantize_model.cases.settings import usual_size
from auto_quantize_model.cli.console import Column, say, table
from auto_quantize_model.errors import CaseError, InputError
from auto_quantize_model.paths import display_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from rich.console import Console

    from auto_quantize_model.cases.modelopt_recipe import ModelOptRecipe
    from auto_quantize_model.recipes.beside_modelopt import BesideModelOpt
    from auto_quantize_model.recipes.recipe import Recipe
    from auto_quantize_model.run import CaseResult


def show_choices(console: Console, recipe: ModelOptRecipe, results: Sequence[CaseResult], output: Path) -> None:
    """Solve the recipe for each model whose cases ran, print both choices, and write them below `output`."""
    for line in recipe.notes:
        say(console, f"{recipe.recipe.name}: {line}", style="yellow")
    for model in dict.fromkeys(result.case.model.name for result in results if not result.skipped):
        try:
            _show_choice(console, recipe, [each for each in results if each.case.model.name == model], output)
        except (InputError, CaseError) as error:
            say(console, f"{model}: no choice for the recipe '{recipe.recipe.name}': {error}", style="yellow")


def _show_choice(console: Console, recipe: ModelOptRecipe, results: Sequence[CaseResult], output: Path) -> None:
    from auto_quantize_model.precision.formats import resolve_format
    from auto_quantize_model.recipes.beside_modelopt import NAME, beside_modelopt
    from auto_quantize_model.whole_files import write_files

    settings, of_size = recipe.recipe, _of_one_size(recipe, results)
    formats = {pair.name: resolve_format(pair.format) for pair in recipe.pairs}
    found = beside_modelopt(settings, of_size, formats)
    folder = output / of_size[0].case.model.name / "recipes" / settings.name
    write_files(folder, {NAME: found.document()})
    columns = (Column(f"{found.choice.model}, {found.choice.size}"), *(Column(name, right=True) for name in _HEADERS))
    title = f"{settings.name}: at most {settings.budget['bits']:g} bits"
    console.print(table(columns, _rows(found), title))
    if found.ours is None:
        say(console, f"no choice of ours: {found.why_not}", style="yellow")
    else:
        _write_ours(console, found.ours, folder)
    say(console, f"each group's pair: {display_path(folder / NAME)}")


def _write_ours(console: Console, ours: Recipe, folder: Path) -> None:
    """The files that others read; what they cannot express is told, and the choice stands."""
    from auto_quantize_model.recipes.files import recipe_files, write_recipe

    try:
        write_recipe(folder, recipe_files(ours, None))
    except InputError as error:
        say(console, f"no file to deploy the best choice by: {error}", style="yellow")


_HEADERS = ("Bits", "Predicted KL", "Groups")


def _of_one_size(recipe: ModelOptRecipe, results: Sequence[CaseResult]) -> list[CaseResult]:
    """The results of every pair at one size: at the one that recipes are solved at, of those that ran."""
    by_size: dict[str, dict[str, CaseResult]] = {}
    for result in results:
        if result.manifest is not None:
            by_size.setdefault(result.case.size, {})[result.case.pair.name] = result
    pairs = recipe.recipe.pairs
    whole = {size: [its[pair] for pair in pairs] for size, its in by_size.items() if set(pairs) <= set(its)}
    if not whole:
        ran = {name for its in by_size.values() for name in its}
        missing = ", ".join(pair for pair in pairs if pair not in ran) or "some, at every size"
        raise InputError(f"not all of its pairs have scores: {missing}")
    return whole[usual_size({size: its[0].case.dataset.samples(size) for size, its in whole.items()})]


def _rows(found: BesideModelOpt) -> Iterator[tuple[str, ...]]:
    if found.ours is not None:
        totals = found.ours.solved.totals
        yield "best", f"{totals.effective_bits:.3f}", f"{totals.predicted_kl:.4g}", _counts(found.ours.assignment)
    kl = found.their_predicted_kl
    yield "ModelOpt's own", f"{found.their_bits:.3f}", "-" if kl is None else f"{kl:.4g}", _counts(found.theirs)


def _counts(assignment: Mapping[str, str]) -> str:
    counts = Counter(assignment.values())
    return ", ".join(f"{many} {pair}" for pair, many in sorted(counts.items()))
