"""`explain`: which share of a case's drift each testable cause has, found by rerunning."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auto_quantize_model.baselines.store import baseline_manifest, read_baseline
from auto_quantize_model.cli.console import Column, add_row, say, table, table_console
from auto_quantize_model.cli.options import ENGINE_OPTIONS, SUITE_OPTIONS, add_options, model_paths, suite_of
from auto_quantize_model.cli.progress_bars import progress_bars
from auto_quantize_model.errors import InputError, nearest
from auto_quantize_model.explain.causes import stated
from auto_quantize_model.explain.older_captions import CaptionSources
from auto_quantize_model.explain.report import LEGEND, as_json
from auto_quantize_model.explain.setups import Setup
from auto_quantize_model.manifest.document import read_manifest
from auto_quantize_model.manifest.older import same_model
from auto_quantize_model.reports.rows import short_name

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    from rich.console import Console
    from rich.table import Table

    from auto_quantize_model.cases.settings import Tolerances
    from auto_quantize_model.cases.suite import Case, Suite
    from auto_quantize_model.explain.explanation import Explanation
    from auto_quantize_model.explain.shares import Part, Shares

_COLUMNS = (
    Column("Cause", if_narrow="fold"),
    Column("Baseline", if_narrow="fold"),
    Column("Now", if_narrow="fold"),
    Column("Share of the drift", right=True),
    Column("Adds to the total", right=True),
    Column("Groups most affected", if_narrow="fold"),
)
_MOST_GROUPS = 2
_NEGLIGIBLE = 0.0005
"""Shares below this are shown as none: they are rounding, not causes."""


def add_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "explain",
        help="Say which share of a case's drift each cause has",
        description="Rerun a case with every difference from its baseline set back, and say which share of the drift "
        "each explains. Exit status: 0 explained or no drift, 1 not explained, 2 wrong input.",
    )
    parser.add_argument("case", metavar="CASE", help="Case id: MODEL-PAIR-SIZE")
    parser.add_argument("--baseline", type=Path, metavar="MANIFEST", help="Older manifest (default: the committed one)")
    parser.add_argument("--captions", type=Path, metavar="FILE", help="The baseline's captions, if they are not found")
    add_options(parser, (*SUITE_OPTIONS, *ENGINE_OPTIONS))
    parser.add_argument(
        "--format", choices=("table", "json"), default="table", help="What to print (default: %(default)s)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print what explains the drift; 0 if something does or there is no drift, else 1."""
    suite = suite_of(arguments)
    case = _case(suite, arguments.case)
    baseline = _baseline(case, arguments.baseline)
    paths = model_paths(arguments, suite)
    setup = Setup(case, arguments.engine)
    if arguments.device:
        setup = setup.with_settings("autoquant", device=arguments.device)

    from rich.console import Console

    sources = CaptionSources(arguments.captions, _folders_of_captions(suite))
    explanation = _explain(setup, baseline, suite.tolerances, sources, paths, Console(stderr=True))
    if arguments.format == "json":
        sys.stdout.write(json.dumps(as_json(explanation), indent=2, ensure_ascii=False) + "\n")
    else:
        console = table_console()
        _show(explanation, console)
    return 1 if explanation.outcome == "not explained" else 0


def _case(suite: Suite, name: str) -> Case:
    cases = {case.id: case for case in suite.cases}
    if name not in cases:
        raise InputError(f"case '{name}' is not in {suite.path}; {nearest(name, cases)}")
    return cases[name]


def _baseline(case: Case, file: Path | None) -> dict[str, Any]:
    if file is not None:
        manifest = read_manifest(file)
        model, identifier = stated(manifest, "case", "model"), stated(manifest, "model", "id")
        if model is not None:
            same = model == case.model.name
        else:
            same = identifier is None or same_model(identifier, case.model.hub_id or case.model.name)
        if not same:
            found = model or identifier
            raise InputError(
                f"{file}: is of model '{found}', not of '{case.model.name}'; give a manifest of that model"
            )
        return manifest
    committed = read_baseline(case)
    if committed is None:
        raise InputError(f"{baseline_manifest(case)}: no baseline is committed for the case; give --baseline MANIFEST")
    return committed


def _folders_of_captions(suite: Suite) -> tuple[Path, ...]:
    """Where a suite keeps its captions, those of the datasets that the case does not use included."""
    home = suite.path.parent
    return home, *sorted(each for each in home.iterdir() if each.is_dir())


def _explain(
    setup: Setup,
    baseline: Mapping[str, Any],
    tolerances: Tolerances,
    sources: CaptionSources,
    paths: Mapping[str, Path],
    console: Console,
) -> Explanation:
    with console.status("importing torch and ModelOpt"):
        import auto_quantize_model.run  # noqa: F401
        from auto_quantize_model.explain.explanation import explain_drift
    with progress_bars(console) as progress:
        return explain_drift(setup, baseline, tolerances, sources=sources, model_paths=paths, progress=progress)


def _show(explanation: Explanation, console: Console) -> None:
    if explanation.causes or explanation.outcome != "no drift":
        console.print(_table(explanation))
    for line in _lines(explanation):
        say(console, line)
    say(console, LEGEND, style="dim")


def _table(explanation: Explanation) -> Table:
    shares = explanation.shares
    values = {cause.name: (cause.old, cause.new) for cause in explanation.causes}
    rows = []
    for part in shares.parts:
        name = " x ".join(part.causes)
        rows.append((name, *values.get(name, ("", "")), *_numbers(part, shares)))
    rows.append(("unexplained", "", "", *_numbers(shares.residual, shares)))
    made = table(_COLUMNS, rows, f"Drift of {explanation.case_id}")
    made.add_section()
    old, new = float(shares.old.sum()), float(shares.new.sum())
    add_row(made, ("the whole drift", f"{old:.4e}", f"{new:.4e}", "100.0 %", f"{new - old:+.3e}", ""))
    return made


def _numbers(part: Part, shares: Shares) -> tuple[str, str, str]:
    if abs(part.share or 0) < _NEGLIGIBLE and not _matters(part, shares):
        return "none", "", ""
    largest = sorted(range(len(shares.groups)), key=lambda index: -abs(part.effect[index]))[:_MOST_GROUPS]
    groups = ", ".join(f"{short_name(shares.groups[index])} {part.effect[index]:+.2e}" for index in largest)
    return "n/a" if part.share is None else _percent(part.share), f"{part.total:+.3e}", groups


def _matters(part: Part, shares: Shares) -> bool:
    """Whether a part moves single groups, though along the drift it adds up to nothing."""
    return bool((abs(part.effect) > _NEGLIGIBLE * abs(shares.new - shares.old).max()).any())


def _lines(explanation: Explanation) -> Iterator[str]:
    yield _verdict(explanation)
    needed = explanation.outcome == "not explained"
    for each in explanation.untested:
        chance = "may be the cause" if needed else "differs too"
        yield f"not tested, {chance}: {each.name}, {each.old} -> {each.new}: {each.why}"
    if explanation.unstated:
        yield f"the baseline does not say: {', '.join(explanation.unstated)}"
    if explanation.left_out:
        yield f"left out, for lack of a score in some run: {', '.join(map(short_name, explanation.left_out))}"


def _verdict(explanation: Explanation) -> str:
    shares = explanation.shares
    if explanation.outcome == "no drift":
        return "no drift: every group's score is within its tolerance"
    rest = f"with everything set back, a rerun misses the baseline by {_percent(shares.missed)} of the drift"
    if not explanation.causes:
        return "not explained: nothing that the baseline states and a rerun can test differs"
    if explanation.outcome == "not explained":
        return f"not explained: {rest}"
    causes = [part for part in shares.parts if part.share is not None and abs(part.share) >= _NEGLIGIBLE]
    named = ", ".join(f"{' x '.join(part.causes)} {_percent(part.share or 0)}" for part in causes)
    return f"explained: {named}; {rest}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
