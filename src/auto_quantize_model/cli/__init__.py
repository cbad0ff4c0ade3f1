"""The command line: one module a subcommand, each imported with only what it needs."""

from __future__ import annotations

import argparse
import os
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

from auto_quantize_model.cli import (
    captions_command,
    captures_command,
    compare_command,
    dashboard_command,
    doctor_command,
    explain_command,
    init_command,
    pairs_command,
    recipe_command,
    report_command,
    run_command,
)
from auto_quantize_model.cli.options import read_options
from auto_quantize_model.cli.termination import Terminated, unwinding_when_terminated
from auto_quantize_model.errors import CaseError, InputError, describe_bug

if TYPE_CHECKING:
    from collections.abc import Sequence

_DISTRIBUTION = "auto-quantize-model"
EXIT_BUG = 1
EXIT_WRONG_INPUT = 2
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143

_COMMANDS = (
    init_command,
    doctor_command,
    run_command,
    report_command,
    compare_command,
    dashboard_command,
    explain_command,
    recipe_command,
    pairs_command,
    captures_command,
    captions_command,
)


def build_parser() -> argparse.ArgumentParser:
    """The whole command line; the documentation lists its options too."""
    parser = argparse.ArgumentParser(
        prog="python -m auto_quantize_model",
        description="Per-layer quantization sensitivity: every precision from one pass over the model.",
    )
    parser.add_argument("--version", action="version", version=f"{_DISTRIBUTION} {version(_DISTRIBUTION)}")
    parser.add_argument(
        "--debug", action="store_true", help="Show the traceback of an error that is this program's own"
    )
    subparsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add_parser(subparsers)
    return parser


def _complete(parser: argparse.ArgumentParser) -> None:
    """Answer a shell that completes a command line, and end; at any other time this costs nothing."""
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(parser)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; every mistake of the user's is one line and exit status 2, every other error one line too."""
    debug = False
    try:
        parser = build_parser()
        _complete(parser)
        arguments = parser.parse_args(argv)
        debug = arguments.debug
        with unwinding_when_terminated():
            read_options(arguments)
            status: int = arguments.run(arguments)
    except (InputError, CaseError) as error:
        sys.stderr.write(f"error: {error}\n")
        return EXIT_WRONG_INPUT
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return EXIT_INTERRUPTED
    except Terminated:
        sys.stderr.write("terminated\n")
        return EXIT_TERMINATED
    except Exception as error:  # the one place where anything unforeseen ends
        if debug:
            raise
        way = "put --debug before the command to see the traceback, and report it"
        sys.stderr.write(f"error: {describe_bug(error, way)}\n")
        return EXIT_BUG
    return status
