"""`report`: regenerate the reports of a manifest of any age."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auto_quantize_model.artifacts import render_reports
from auto_quantize_model.errors import InputError
from auto_quantize_model.manifest.document import read_manifest
from auto_quantize_model.whole_files import write_files

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping


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
    manifest = read_manifest(arguments.manifest)
    reports = render_reports(manifest)
    folder = arguments.output or arguments.manifest.parent
    if arguments.output is None and "schema_version" not in manifest:
        _keep_older_reports(folder, reports)
    write_files(folder, reports)
    sys.stdout.writelines(f"wrote {folder / name}\n" for name in reports)
    return 0


def _keep_older_reports(folder: Path, reports: Mapping[str, str]) -> None:
    """Refuse to write over what an older tool published beside its manifest."""
    for name, text in reports.items():
        file = folder / name
        if file.exists() and file.read_bytes() != text.encode():
            raise InputError(f"{file}: an older tool's report, which would be lost; give --output DIR for the new ones")
