"""`compare`: what differs between two manifests, folders or git revisions, and whether that is more than noise."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auto_quantize_model.cases.settings import Tolerances
from auto_quantize_model.cases.suite import load_suite
from auto_quantize_model.cli.console import PLAIN_WIDTH, Column, say, table, table_console
from auto_quantize_model.cli.options import suite_file
from auto_quantize_model.comparison import github
from auto_quantize_model.comparison import report as comparison_report
from auto_quantize_model.comparison.last_publish import last_publish
from auto_quantize_model.comparison.side_by_side import compare_sources
from auto_quantize_model.comparison.sources import read_source
from auto_quantize_model.comparison.wording import reasons, shown_ratio, summary, worst_by_group
from auto_quantize_model.errors import InputError
from auto_quantize_model.whole_files import write_files

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from rich.console import Console
    from rich.table import Table

    from auto_quantize_model.comparison.side_by_side import ComparedCase, SideBySide
    from auto_quantize_model.comparison.sources import Source

_MOST_GROUPS = 15
_MOST_OF_SEVERAL = 5
_WHAT = "a manifest, a case's folder, a folder of cases, or a git revision: REV (its models/) or REV:PATH"


def add_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "compare",
        help="Compare manifests, folders or git revisions",
        description="Compare two manifests, folders or git revisions of any age. "
        "Exit status: 0 identical or within noise, 1 drift or incomparable, 2 wrong input.",
    )
    parser.add_argument("old", metavar="A", nargs="?", help=_WHAT[0].upper() + _WHAT[1:])
    parser.add_argument("new", metavar="B", nargs="?", help="Likewise")
    parser.add_argument(
        "--last-publish",
        type=Path,
        nargs="?",
        const=Path("models"),
        metavar="FOLDER",
        help="Instead of A and B: what the last publish below this folder changed (default: models), committed or not",
    )
    parser.add_argument(
        "--format",
        choices=("table", "markdown", "json", "github"),
        default="table",
        help="Form; github: a comment of a pull request (default: %(default)s)",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="Write there (default: the terminal)")
    parser.add_argument(
        "--suite",
        type=Path,
        metavar="FILE",
        help="Suite whose tolerances hold (default: the one here, in sensitivity_cases/ or in a folder above, if any)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Show the comparison; 0 where nothing moved beyond its tolerance, else 1."""
    tolerances = _tolerances(arguments.suite)
    old, new = _sources(arguments)
    sides = compare_sources(old, new, tolerances)
    _show(sides, arguments.format, arguments.output)
    return 0 if sides.verdict in ("identical", "within_noise") else 1


def _sources(arguments: argparse.Namespace) -> tuple[Source, Source]:
    named = [each for each in (arguments.old, arguments.new) if each is not None]
    if arguments.last_publish is None:
        if len(named) < len(("A", "B")):
            raise InputError("compare A B: name two sources, or ask with --last-publish what the last publish changed")
        return read_source(arguments.old), read_source(arguments.new)
    if named:
        raise InputError(f"--last-publish compares a folder with what it was; leave '{named[0]}' out")
    found = last_publish(arguments.last_publish)
    if arguments.format == "table" and arguments.output is None:
        say(table_console(), f"last publish: {found.told}")
    return found.before, found.after


def _tolerances(suite: Path | None) -> Tolerances:
    file = suite_file(suite)
    return Tolerances() if file is None else load_suite(file).tolerances


def _show(sides: SideBySide, form: str, output: Path | None) -> None:
    if form == "table" and output is None:
        _print(sides, table_console())
        return
    forms = {
        "table": _plain,
        "markdown": comparison_report.markdown,
        "json": comparison_report.json_text,
        "github": github.comment,
    }
    text = forms[form](sides)
    if output is None:
        sys.stdout.write(text)
        return
    if output.is_dir():
        raise InputError(f"{output}: a folder; give --output a file")
    write_files(output.parent, {output.name: text})
    sys.stdout.write(f"wrote {output}\n")


def _plain(sides: SideBySide) -> str:
    from rich.console import Console

    text = io.StringIO()
    _print(sides, Console(file=text, width=PLAIN_WIDTH))
    return text.getvalue()


def _print(sides: SideBySide, console: Console) -> None:
    several = len(sides.cases) > 1
    if several:
        console.print(_table(comparison_report.OVERVIEW, map(comparison_report.overview_row, sides.cases)))
    for case in sides.cases:
        if not several or case.comparison.verdict in ("drift", "incomparable"):
            _print_case(case, console, _MOST_OF_SEVERAL if several else _MOST_GROUPS)
    for name, lone in ((sides.old, sides.only_old), (sides.new, sides.only_new)):
        for case_name in lone:
            say(console, f"only in {name}: {case_name}")


def _print_case(case: ComparedCase, console: Console, most: int) -> None:
    comparison = case.comparison
    say(console, f"{case.name}: {summary(comparison)}", style="bold")
    for line in reasons(comparison):
        say(console, line)
    old, new = map(comparison_report.shown_number, (comparison.total_old, comparison.total_new))
    say(console, f"  total score: {old} -> {new} ({shown_ratio(comparison.total_ratio)})")
    spearman = comparison_report.spearman_line(case)
    if spearman is not None:
        say(console, f"  {spearman}")
    moved = worst_by_group(comparison.moved)
    if moved:
        console.print(_table(comparison_report.GROUPS, map(comparison_report.group_row, moved[:most])))
    if len(moved) > most:
        say(console, f"... and {len(moved) - most} more groups: --format markdown has every number")


def _table(titles: Iterable[str], rows: Iterable[Sequence[str]]) -> Table:
    return table((Column(title, if_narrow="fold") for title in titles), rows)
