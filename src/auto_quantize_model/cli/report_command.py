"""`report`: regenerate the reports of a manifest of any age."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auto_quantize_model.artifacts import render_reports, write_files
from auto_quantize_model.manifest.document import read_manifest

if TYPE_CHECKING:
    import argparse


def add_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "report", help="Regenerate the reports of a manifest", description="Regenerate the reports of a manifest."
    )
    parser.add_argument("manifest", type=Path, metavar="MANIFEST", help="A *_quant_manifest.json, of any age")
    parser.add_argument("--output", type=Path, metavar="DIR", help="Folder for the reports (default: the manifest's)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the reports and say where."""
    folder = arguments.output or arguments.manifest.parent
    reports = render_reports(read_manifest(arguments.manifest))
    write_files(folder, reports)
    sys.stdout.writelines(f"wrote {folder / name}\n" for name in reports)
    return 0
