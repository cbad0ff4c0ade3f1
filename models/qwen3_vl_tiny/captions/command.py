"""The command line of the embedded captions: write them again, compare two files of captions."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from auto_quantize_model.captions.nested import LARGEST, write_nested
from auto_quantize_model.captions.reading import read_captions
from auto_quantize_model.errors import InputError
from captions.comparison import compare_captions, table
from captions.grammar import EMBEDDED_SEED, generate_captions

if TYPE_CHECKING:
    from collections.abc import Sequence

EMBEDDED_STEM = "embedded_captions"
DATA = Path(__file__).resolve().parents[3] / "sensitivity_cases" / "data"


def main(words: Sequence[str]) -> int:
    """Run one command; a mistake of the user's is one line and exit status 2."""
    arguments = _parser().parse_args(words)
    try:
        arguments.run(arguments)
    except InputError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python models/qwen3_vl_tiny/captions", description="Write the embedded captions or compare captions."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    text = "Write the embedded captions, the same ones for the same seed"
    generate = commands.add_parser("generate", help=text, description=f"{text}.")
    generate.add_argument(
        "--output", type=Path, default=DATA, metavar="DIR", help="Folder to write into (default: %(default)s)"
    )
    generate.add_argument(
        "--seed", type=int, default=EMBEDDED_SEED, help="Another seed gives other captions (default: %(default)s)"
    )
    generate.set_defaults(run=_generate)
    text = "Show how alike two files of captions are"
    compare = commands.add_parser("compare", help=text, description=f"{text}.")
    compare.add_argument("a", type=Path, metavar="A", help="File with one caption a line")
    compare.add_argument("b", type=Path, metavar="B", help="File to compare it with")
    compare.set_defaults(run=_compare)
    return parser


def _generate(arguments: argparse.Namespace) -> None:
    captions = generate_captions(LARGEST, arguments.seed)
    for file in write_nested(arguments.output, EMBEDDED_STEM, captions):
        sys.stdout.write(f"wrote {file}\n")


def _compare(arguments: argparse.Namespace) -> None:
    comparison = compare_captions(read_captions(arguments.a), read_captions(arguments.b))
    for line in table(comparison, str(arguments.a), str(arguments.b)):
        sys.stdout.write(f"{line}\n")
