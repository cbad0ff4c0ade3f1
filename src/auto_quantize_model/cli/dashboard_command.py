"""`dashboard`: one HTML file to look into models trees, runs and manifests."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auto_quantize_model.cases.settings import Tolerances
from auto_quantize_model.cases.suite import load_suite
from auto_quantize_model.cli.options import suite_file
from auto_quantize_model.comparison.sources import read_source
from auto_quantize_model.errors import InputError
from auto_quantize_model.paths import display_path
from auto_quantize_model.whole_files import write_files

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

_MODELS = "models"


def add_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "dashboard",
        help="Write one HTML file to look into many cases",
        description="Write one self-contained HTML file: every case and group, layers against pairs, bits against KL, "
        "comparisons and history. It asks the network for nothing.",
    )
    parser.add_argument(
        "sources",
        nargs="*",
        metavar="PATH",
        help="A models tree, a run's folder, a manifest, or a git revision (default: models); the first is what the "
        "others are compared with",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", required=True, help="The HTML file to write")
    parser.add_argument(
        "--history",
        metavar="OLD..NEW",
        help="Show how the scores in models/ went over these git revisions, for example HEAD~20..HEAD",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the page and say where, and how large it is."""
    from auto_quantize_model.dashboard.history import read_history
    from auto_quantize_model.dashboard.page import render_page
    from auto_quantize_model.dashboard.page_data import page_data

    output: Path = arguments.output
    if output.is_dir():
        raise InputError(f"{output}: a folder; give --output a file")
    names = arguments.sources or [_MODELS]
    sources = [read_source(name) for name in names]
    history = None if arguments.history is None else read_history(arguments.history, _MODELS)
    text = render_page(page_data(sources, _recipes(names), _tolerances(), history=history))
    write_files(output.parent, {output.name: text})
    sys.stdout.write(f"wrote {display_path(output)} ({len(text.encode()) / 1e6:.1f} MB)\n")
    return 0


def _recipes(names: list[str]) -> Mapping[str, Any]:
    """The recipes of the models of the first folder that has any."""
    from auto_quantize_model.reports.committed_recipes import read_recipes

    for name in names:
        models = sorted({file.parents[2] for file in Path(name).glob("*/recipes/*/recipe.json")})
        if models:
            return {model.name: read_recipes(model, Path.read_bytes) for model in models}
    return {}


def _tolerances() -> Tolerances:
    file = suite_file(None)
    return Tolerances() if file is None else load_suite(file).tolerances
