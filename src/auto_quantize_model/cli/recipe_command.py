"""`recipe`: from manifests to the best mixed precision within a budget, and to the files that others read."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auto_quantize_model.artifacts import default_output
from auto_quantize_model.cli.console import Column, say, table, table_console
from auto_quantize_model.cli.options import SUITE_OPTIONS, add_options, model_paths, suite_file
from auto_quantize_model.cli.progress_bars import progress_bars
from auto_quantize_model.errors import InputError
from auto_quantize_model.options import MEASURE_ON, MODEL_PATH
from auto_quantize_model.paths import display_path
from auto_quantize_model.recipes.budget import Budget
from auto_quantize_model.writable import check_folder_place

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from auto_quantize_model.cases.settings import BudgetUnit, RuntimeSettings
    from auto_quantize_model.cases.suite import Case, Suite
    from auto_quantize_model.recipes.proof import Proof
    from auto_quantize_model.recipes.recipe import Recipe

_BUDGETS: tuple[tuple[str, str, BudgetUnit, str], ...] = (
    ("--bits", "B", "bits", "At most so many effective bits a scored weight"),
    ("--gb", "G", "gigabytes", "At most so many gigabytes for the whole checkpoint"),
    ("--share", "S", "share", "At most this share of the checkpoint's size at 16 bits"),
    ("--max-kl", "K", "max_kl", "As few bits as a predicted KL of so many nats per token takes"),
)
_MEASURE_ON = dataclasses.replace(
    MEASURE_ON,
    help="With --verify, measure on the captions of this file (default: the dataset's, behind those of the size)",
)


def add_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "recipe",
        help="Choose a precision for each group within a budget",
        description="Choose a pair, or none, for each group of a model: the least predicted KL within a budget, proved "
        "to be the best choice, with the front of all budgets and how sure each group's pair is. With --verify the "
        "model is quantized by it and measured. Exit status: 0 fine, 1 a pair alone is better, 2 wrong usage or input.",
    )
    parser.add_argument("--model", required=True, metavar="NAME", help="Model, as its manifests name it")
    budget = parser.add_mutually_exclusive_group(required=True)
    for flag, metavar, unit, text in _BUDGETS:
        budget.add_argument(flag, dest=f"budget_{unit}", type=float, metavar=metavar, help=text)
    parser.add_argument("--pairs", metavar="A,B", help="Pairs to choose from (default: all that have a manifest)")
    parser.add_argument(
        "--size",
        metavar="NAME",
        help="Calibration size of the manifests (default: medium, or the largest where there is no medium)",
    )
    parser.add_argument(
        "--runtime", metavar="NAME", help="What will run it: only what that can serve, and its file too"
    )
    parser.add_argument(
        "--from", dest="source", type=Path, metavar="DIR", help="Where the manifests are (default: the models tree)"
    )
    parser.add_argument(
        "--pin",
        action="append",
        default=[],
        metavar="PATTERN=PAIR",
        help="Give the groups of that name, or with such a module, this pair or none; repeatable",
    )
    parser.add_argument(
        "--verify", action="store_true", help="Quantize by it and measure, beside each pair and ModelOpt's own choice"
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="Folder for the files (default: tmp/sensitivity/<time>)"
    )
    add_options(parser, (*SUITE_OPTIONS, MODEL_PATH, _MEASURE_ON))
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Solve, prove where that is asked, and write; 1 where a pair alone is measured to be better."""
    from auto_quantize_model.recipes.files import recipe_files, write_recipe
    from auto_quantize_model.recipes.report import verdict

    output = (arguments.output or default_output()).absolute()
    check_folder_place(output)
    if arguments.measure_on is not None and not arguments.verify:
        raise InputError(f"{MEASURE_ON.flag} names captions to measure on, and nothing is measured without --verify")
    recipe = _with_texts(_solved(arguments), arguments)
    # What cannot be written is told before the minutes of a proof.
    files, proof = recipe_files(recipe, None), None
    if arguments.verify:
        proof = _proof(recipe, arguments)
        files = recipe_files(recipe, proof)
    write_recipe(output, files)
    console = table_console()
    say(console, verdict(recipe, proof).replace("**", "").replace("`", "'"))
    say(console, _summary(recipe))
    console.print(_table(recipe))
    say(console, f"files: {display_path(output)}")
    return int(proof is not None and proof.beaten_by(recipe.solved.totals.effective_bits) is not None)


def _solved(arguments: argparse.Namespace) -> Recipe:
    from auto_quantize_model.recipes.finding import find_sources
    from auto_quantize_model.recipes.recipe import solve_sources

    budget = next(
        Budget(unit, value)
        for _, _, unit, _ in _BUDGETS
        for value in [getattr(arguments, f"budget_{unit}")]
        if value is not None
    )
    pairs = [] if arguments.pairs is None else [pair.strip() for pair in arguments.pairs.split(",") if pair.strip()]
    runtime = _runtime(arguments)
    servable = None if runtime is None else runtime.pairs
    sources = find_sources(_root(arguments), arguments.model, arguments.size, pairs, servable)
    return solve_sources(sources, budget, arguments.pin, runtime)


def _with_texts(recipe: Recipe, arguments: argparse.Namespace) -> Recipe:
    """With the captions that were scored, for `recipe.md` to quote, where the suite has just those."""
    from auto_quantize_model.captions.samples import captions_sha256

    if not any(each.deciding for each in recipe.open_groups):
        return recipe
    calibration = recipe.choice.sources[0].manifest["calibration"]
    try:
        suite = _suite(arguments, [f"suite.models=[{recipe.choice.model}]"])
        case = next(each for each in suite.cases if each.size == recipe.choice.size)
        captions = case.captions.read(calibration["calibrated_samples"])
    except (InputError, StopIteration):
        return recipe
    if captions_sha256(captions) != calibration["captions_sha256"]:
        return recipe
    texts = (each if isinstance(each, str) else each.messages[-1].content for each in captions)
    return dataclasses.replace(recipe, caption_texts=tuple(texts))


def _runtime(arguments: argparse.Namespace) -> RuntimeSettings | None:
    if arguments.runtime is None:
        return None
    from auto_quantize_model.cases.suite import load_runtime

    return load_runtime(arguments.runtime, suite_file(arguments.suite))


def _root(arguments: argparse.Namespace) -> Path:
    """Where the manifests are looked for."""
    root: Path | None = arguments.source or arguments.models_root
    if root is None:
        cases = _suite(arguments, ()).cases
        root = cases[0].models_root
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; name the one that a run wrote, or a models tree, with --from")
    return root


def _suite(arguments: argparse.Namespace, overrides: Sequence[str]) -> Suite:
    from auto_quantize_model.cases.suite import load_suite

    file = suite_file(arguments.suite)
    if file is None:
        raise InputError(
            "no suite is here to say where the models are; name the manifests' folder with --from, or --suite"
        )
    return load_suite(file, models_root=arguments.models_root, overrides=[*arguments.override, *overrides])


def _proof(recipe: Recipe, arguments: argparse.Namespace) -> Proof:
    from rich.console import Console

    choice = recipe.choice
    pairs = ", ".join(choice.pairs[:-1])
    suite = _suite(arguments, [f"suite.models=[{choice.model}]", f"suite.pairs=[{pairs}]"])
    cases: dict[str, Case] = {case.pair.name: case for case in suite.cases if case.size == choice.size}
    paths = model_paths(arguments, suite)
    console = Console(stderr=True)
    with console.status("importing torch and ModelOpt"):
        from auto_quantize_model.recipes.proving import Prover, held_out_captions, prove
    held_out = held_out_captions(next(iter(cases.values())), arguments.measure_on)
    with progress_bars(console) as progress:
        prover = Prover(cases, arguments.device, paths, choice.sources[0].manifest, progress)
        return prove(recipe, prover, held_out)


def _summary(recipe: Recipe) -> str:
    totals = recipe.solved.totals
    return (
        f"{recipe.choice.model} within {recipe.budget}: {totals.effective_bits:.4g} bits, {totals.gigabytes:.4g} GB, "
        f"predicted KL {totals.predicted_kl:.3g}"
    )


def _table(recipe: Recipe) -> Any:
    choice = recipe.choice
    counts = dict.fromkeys(choice.pairs, 0)
    weights = dict.fromkeys(choice.pairs, 0.0)
    for part, column in zip(choice.parts, recipe.solved.chosen.tolist(), strict=True):
        counts[choice.pairs[column]] += len(part.names)
        weights[choice.pairs[column]] += part.weights
    columns = (Column("Pair"), Column("Groups", right=True), Column("Weights", right=True))
    whole = float(choice.weights.sum())
    rows = ((pair, str(counts[pair]), f"{weights[pair] / whole:.1%}") for pair in choice.pairs if counts[pair])
    return table(columns, rows)
