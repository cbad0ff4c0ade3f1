"""The command line: one module a subcommand, each imported with only what it needs."""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

from auto_quantize_model.cli import (
    captions_command,
    captures_command,
    compare_command,
    explain_command,
    pairs_command,
    report_command,
    run_command,
)
from auto_quantize_model.cli.options import read_options
from auto_quantize_model.errors import CaseError, InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

_DISTRIBUTION = "auto-quantize-model"
EXIT_WRONG_INPUT = 2
EXIT_INTERRUPTED = 130

_COMMANDS = (
    run_command,
    report_command,
    compare_command,
    explain_command,
    pairs_command,
    captures_command,
    captions_command,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; every mistake of the user's is one line and exit status 2."""
    parser = argparse.ArgumentParser(
        prog="python -m auto_quantize_model",
        description="Per-layer quantization sensitivity: every precision from one pass over the model.",
    )
    parser.add_argument("--version", action="version", version=f"{_DISTRIBUTION} {version(_DISTRIBUTION)}")
    subparsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add_parser(subparsers)
    arguments = parser.parse_args(argv)
    try:
        read_options(arguments)
        status: int = arguments.run(arguments)
    except (InputError, CaseError) as error:
        sys.stderr.write(f"error: {error}\n")
        return EXIT_WRONG_INPUT
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return EXIT_INTERRUPTED
    return status
