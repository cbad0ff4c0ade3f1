"""`captures`: show what `--keep-capture` has kept, and let it go."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from auto_quantize_model.byte_sizes import parse_bytes, show_bytes
from auto_quantize_model.cli.console import table_console
from auto_quantize_model.engine.capture.kept import kept_captures, remove, to_prune
from auto_quantize_model.engine.capture.settings import CaptureSettings
from auto_quantize_model.errors import InputError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from rich.table import Table

    from auto_quantize_model.engine.capture.kept import KeptCapture


def add_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "captures", help="Show kept captures, or let them go", description="Show what --keep-capture has kept."
    )
    parser.add_argument(
        "--capture-dir", type=Path, metavar="DIR", help="Folder of the captures (default: one in the user's cache)"
    )
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
    found = kept_captures(root)
    console = table_console()
    if not arguments.prune:
        if found:
            console.print(_table(found))
        console.print(_total("kept", found, root), markup=False, soft_wrap=True)
        return 0
    removed = found if arguments.all else _chosen(found, arguments)
    for each in removed:
        remove(each)
    console.print(_total("removed", removed, root), markup=False, soft_wrap=True)
    return 0


def _chosen(found: Sequence[KeptCapture], arguments: argparse.Namespace) -> list[KeptCapture]:
    try:
        most = None if arguments.keep is None else parse_bytes(arguments.keep)
    except ValueError as error:
        raise InputError(f"captures --keep: {error}") from None
    return list(to_prune(found, unused_days=arguments.unused, keep_bytes=most))


def _table(captures: Sequence[KeptCapture]) -> Table:
    from rich.table import Table

    table = Table(title="Kept captures", title_justify="left")
    for title in ("Capture", "Model", "State", "Type"):
        table.add_column(title, no_wrap=True)
    for title in ("Batches", "Size", "Last used"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("Made on", overflow="ellipsis", no_wrap=True)
    for each in captures:
        table.add_row(
            each.folder.name,
            each.model,
            "stale" if each.stale else "usable",
            each.dtype,
            str(each.batches),
            show_bytes(each.bytes),
            f"{each.used:%Y-%m-%d}",
            each.hardware,
        )
    return table


def _total(word: str, captures: Sequence[KeptCapture], root: Path) -> str:
    number = len(captures)
    return (
        f"{number} capture{'s' * (number != 1)} {word}, {show_bytes(sum(each.bytes for each in captures))}, in {root}"
    )
