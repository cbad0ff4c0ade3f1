"""`captures`: show what `--keep-capture` has kept, and what interrupted runs have left, and remove it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auto_quantize_model.byte_sizes import parse_bytes, show_bytes
from auto_quantize_model.cli.console import Column, say, table, table_console
from auto_quantize_model.cli.options import add_options
from auto_quantize_model.engine.capture.kept import kept_captures, remove, to_prune
from auto_quantize_model.engine.capture.settings import CaptureSettings
from auto_quantize_model.errors import InputError
from auto_quantize_model.options import CAPTURE_DIR

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from rich.table import Table

    from auto_quantize_model.engine.capture.kept import KeptCapture

_COLUMNS = (
    Column("Capture"),
    Column("Model"),
    Column("State"),
    Column("Type"),
    Column("Batches", right=True),
    Column("Size", right=True),
    Column("Last used", right=True),
    Column("Made on", if_narrow="cut"),
)


def add_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "captures",
        help="Show kept captures, or remove them",
        description="Show what --keep-capture has kept and what interrupted runs have left.",
    )
    add_options(parser, (CAPTURE_DIR,))
    parser.add_argument("--prune", action="store_true", help="Remove the stale ones, and what the options below say")
    parser.add_argument(
        "--unused", type=float, metavar="DAYS", help="With --prune: also those that no run opened for so many days"
    )
    parser.add_argument(
        "--keep", metavar="SIZE", help="With --prune: also the least recently used beyond this size, for example 50GB"
    )
    parser.add_argument("--all", action="store_true", help="With --prune: all of them")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Show or prune."""
    if not arguments.prune and (arguments.all or arguments.keep is not None or arguments.unused is not None):
        raise InputError("captures: --all, --keep and --unused say what --prune removes; add it")
    if arguments.unused is not None and not arguments.unused >= 0:
        raise InputError("captures --unused: days are 0 or more")
    if arguments.all and (arguments.keep is not None or arguments.unused is not None):
        raise InputError("captures: --all removes every capture; leave it out, or --keep and --unused")
    root = CaptureSettings(folder=arguments.capture_dir).root
    kept = kept_captures(root)
    console = table_console()
    if not arguments.prune:
        if kept:
            console.print(_table(kept))
        say(console, _total("kept", kept, root))
        return 0
    removed = [each for each in kept if each.state != "in use"] if arguments.all else _chosen(kept, arguments)
    for capture in removed:
        remove(capture)
    say(console, _total("removed", removed, root))
    return 0


def _chosen(kept: Sequence[KeptCapture], arguments: argparse.Namespace) -> list[KeptCapture]:
    try:
        most = None if arguments.keep is None else parse_bytes(arguments.keep)
    except ValueError as error:
        raise InputError(f"captures --keep: {error}") from None
    return list(to_prune(kept, unused_days=arguments.unused, keep_bytes=most))


def _table(captures: Iterable[KeptCapture]) -> Table:
    rows = (
        (
            capture.folder.name,
            capture.model,
            capture.state,
            capture.dtype,
            str(capture.batches),
            show_bytes(capture.bytes),
            f"{capture.used:%Y-%m-%d}",
            capture.hardware,
        )
        for capture in captures
    )
    return table(_COLUMNS, rows, "Kept captures")


def _total(word: str, captures: Sequence[KeptCapture], root: Path) -> str:
    number, size = len(captures), sum(capture.bytes for capture in captures)
    return f"{number} capture{'s' * (number != 1)} {word}, {show_bytes(size)}, in {root}"
