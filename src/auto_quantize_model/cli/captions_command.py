"""`captions`: make calibration captions of the user's own data."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from auto_quantize_model.captions.coco import pick_captions
from auto_quantize_model.captions.nested import LARGEST, SIZE_CAPTIONS, write_nested
from auto_quantize_model.captions.reading import COCO_STEM
from auto_quantize_model.errors import InputError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

DEFAULT_SEED = 2017
DEFAULT_FOLDER = Path("sensitivity_cases/data")
_COCO_DATASET = "vlm_coco2017_captions"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    text = "Make calibration captions"
    parser = subparsers.add_parser("captions", help=text, description=f"{text}.")
    actions = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_coco(actions)


def _add_coco(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "Write captions from your own COCO annotations"
    sizes = ", ".join(f"{size} {count}" for size, count in SIZE_CAPTIONS.items())
    parser = actions.add_parser("coco", help=text, description=f"{text}.")
    parser.add_argument("annotations", type=Path, metavar="JSON", help="One of COCO's captions_*.json")
    parser.add_argument(
        "--output",
        type=Path,
        default=DEFAULT_FOLDER,
        metavar="DIR",
        help="Folder to write into (default: %(default)s)",
    )
    parser.add_argument(
        "--stem",
        default=COCO_STEM,
        help=f"Files are named STEM_<size>.txt, with these numbers of captions: {sizes} (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=DEFAULT_SEED, help="Another seed gives other captions (default: %(default)s)"
    )
    parser.set_defaults(run=run_coco)


def run_coco(arguments: argparse.Namespace) -> int:
    """Write the files, and say how to calibrate on them."""
    _check_target(arguments)
    captions = pick_captions(arguments.annotations, LARGEST, arguments.seed)
    for file in write_nested(arguments.output, arguments.stem, captions):
        sys.stdout.write(f"wrote {file}\n")
    sys.stdout.write(f"next: python -m auto_quantize_model run {' '.join(_overrides(arguments))}\n")
    return 0


def _overrides(arguments: argparse.Namespace) -> Iterator[str]:
    yield f"--override suite.dataset={_COCO_DATASET}"
    if arguments.stem != COCO_STEM:
        yield f"--override {shlex.quote(f'dataset.captions_path={arguments.stem}_{{size}}.txt')}"
    if arguments.output != DEFAULT_FOLDER:
        yield f"--override {shlex.quote(f'dataset.root={arguments.output.resolve()}')}"


def _check_target(arguments: argparse.Namespace) -> None:
    if Path(arguments.stem).name != arguments.stem:
        raise InputError(f"--stem '{arguments.stem}': give a name without folders; --output names the folder")
    if arguments.output == DEFAULT_FOLDER and not DEFAULT_FOLDER.is_dir():
        raise InputError(f"{DEFAULT_FOLDER}: no such folder here; run from the repository's root or give --output DIR")
