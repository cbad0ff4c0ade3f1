"""`captions`: make calibration captions and compare them."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from auto_quantize_model.captions.coco import pick_captions
from auto_quantize_model.captions.comparison import compare_captions, table
from auto_quantize_model.captions.nested import LARGEST, SIZE_CAPTIONS, write_nested
from auto_quantize_model.captions.reading import read_captions
from auto_quantize_model.errors import InputError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from typing import TextIO

DEFAULT_SEED = 2017
DEFAULT_FOLDER = Path("sensitivity_cases/data")
EMBEDDED_STEM = "embedded_captions"
COCO_STEM = "coco2017_captions"
_COCO_DATASET = "vlm_coco2017_captions"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    text = "Make calibration captions or compare two files of them"
    parser = subparsers.add_parser("captions", help=text, description=f"{text}.")
    parser.set_defaults(run=run)
    actions = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_generate(actions)
    _add_coco(actions)
    _add_compare(actions)


def run(arguments: argparse.Namespace, output: TextIO | None = None) -> int:
    """Run the chosen command and print what it did."""
    stream = output or sys.stdout
    stream.writelines(f"{line}\n" for line in arguments.captions_command(arguments))
    return 0


def _add_generate(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "Write the embedded captions, the same ones for the same seed"
    parser = actions.add_parser("generate", help=text, description=f"{text}.")
    _add_output_options(parser, EMBEDDED_STEM)
    parser.set_defaults(captions_command=_generate)


def _add_coco(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "Write captions from your own COCO annotations"
    parser = actions.add_parser("coco", help=text, description=f"{text}.")
    parser.add_argument("annotations", type=Path, metavar="JSON", help="One of COCO's captions_*.json")
    _add_output_options(parser, COCO_STEM)
    parser.set_defaults(captions_command=_coco)


def _add_compare(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "Show how alike two files of captions are"
    parser = actions.add_parser("compare", help=text, description=f"{text}.")
    parser.add_argument("a", type=Path, metavar="A", help="File with one caption a line")
    parser.add_argument("b", type=Path, metavar="B", help="File to compare it with")
    parser.set_defaults(captions_command=_compare)


def _add_output_options(parser: argparse.ArgumentParser, stem: str) -> None:
    sizes = ", ".join(f"{size} {count}" for size, count in SIZE_CAPTIONS.items())
    parser.add_argument(
        "--output",
        type=Path,
        default=DEFAULT_FOLDER,
        metavar="DIR",
        help="Folder to write into (default: %(default)s)",
    )
    parser.add_argument(
        "--stem",
        default=stem,
        help=f"Files are named STEM_<size>.txt, with these numbers of captions: {sizes} (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=DEFAULT_SEED, help="Another seed gives other captions (default: %(default)s)"
    )


def _generate(arguments: argparse.Namespace) -> Iterator[str]:
    # Here, because reading captions for a run must not pay for the grammar.
    from auto_quantize_model.captions.grammar import generate_captions

    _check_target(arguments)
    yield from _written(arguments, generate_captions(LARGEST, arguments.seed))


def _coco(arguments: argparse.Namespace) -> Iterator[str]:
    _check_target(arguments)
    yield from _written(arguments, pick_captions(arguments.annotations, LARGEST, arguments.seed))
    yield f"next: python -m auto_quantize_model run {' '.join(_coco_overrides(arguments))}"


def _coco_overrides(arguments: argparse.Namespace) -> Iterator[str]:
    yield f"--override suite.dataset={_COCO_DATASET}"
    if arguments.stem != COCO_STEM:
        yield f"--override {shlex.quote(f'dataset.captions_path={arguments.stem}_{{size}}.txt')}"
    if arguments.output != DEFAULT_FOLDER:
        yield f"--override {shlex.quote(f'dataset.root={arguments.output.resolve()}')}"


def _compare(arguments: argparse.Namespace) -> Iterator[str]:
    comparison = compare_captions(read_captions(arguments.a), read_captions(arguments.b))
    yield from table(comparison, str(arguments.a), str(arguments.b))


def _written(arguments: argparse.Namespace, captions: list[str]) -> Iterator[str]:
    for file in write_nested(arguments.output, arguments.stem, captions):
        yield f"wrote {file}"


def _check_target(arguments: argparse.Namespace) -> None:
    if Path(arguments.stem).name != arguments.stem:
        raise InputError(f"--stem '{arguments.stem}': give a name without folders; --output names the folder")
    if arguments.output == DEFAULT_FOLDER and not DEFAULT_FOLDER.is_dir():
        raise InputError(f"{DEFAULT_FOLDER}: no such folder here; run from the repository's root or give --output DIR")
