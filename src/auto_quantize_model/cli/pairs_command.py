"""`pairs`: what each pair means in the installed ModelOpt, and whether it can run here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auto_quantize_model.cli.console import Column, say, table, table_console
from auto_quantize_model.cli.options import SUITE_OPTIONS, add_options, suite_of
from auto_quantize_model.errors import CaseError
from auto_quantize_model.stored_bits import stored_bits

if TYPE_CHECKING:
    import argparse

    import torch

    from auto_quantize_model.cases.settings import PairSettings

_COLUMNS = tuple(map(Column, ("Pair", "Format", "Preset", "Bits", "Stored", "Config", "Weight kernel", "Input kernel")))


def add_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "pairs",
        help="Show what each pair means and what can run here",
        description="Show what each pair means in the installed ModelOpt, and whether it can run here. Bits are as "
        "ModelOpt counts them, and its search with them; what is stored is what a weight takes with its block's "
        "scale; a + is for scales per channel or tensor beside it.",
    )
    add_options(parser, SUITE_OPTIONS)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print one row a pair; 0 if every pair can run here, else 1."""
    suite = suite_of(arguments)

    from auto_quantize_model.precision.capability import find_device

    device = find_device(arguments.device or suite.cases[0].autoquant.device)
    console = table_console()
    described = {pair.name: _describe(pair, device) for pair in suite.pairs}
    refused = {name: reason for name, (_, reason) in described.items() if reason is not None}
    console.print(table(_COLUMNS, (cells for cells, _ in described.values()), f"Pairs on {device}"))
    for name, reason in refused.items():
        say(console, f"{name} cannot run here: {reason}", style="red")
    return 1 if refused else 0


def _describe(pair: PairSettings, device: torch.device) -> tuple[tuple[str, ...], str | None]:
    from auto_quantize_model.precision.capability import check_format
    from auto_quantize_model.precision.formats import resolve_format

    preset = (pair.format.preset or "none") + (", changed" if pair.format.changes else "")
    head = (pair.name, pair.format.name, preset)
    try:
        resolved = resolve_format(pair.format)
    except CaseError as error:
        return (*head, "-", "-", "-", "-", "-"), str(error)
    bits = stored_bits(resolved.resolved)
    # A table is only so wide: which scales they are, a report says.
    stored = "-" if bits is None else f"{bits[0]:g}{'+' * bool(bits[1])}"
    meaning = (*head, f"{resolved.effective_bits:g}", stored, resolved.sha256[:12])
    try:
        _, kernels = check_format(resolved, device)
    except CaseError as error:
        return (*meaning, "-", "-"), str(error)
    return (*meaning, kernels.weight, kernels.input), None
