"""`run`: run cases, show progress, print a table, write the artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auto_quantize_model.artifacts import default_output, write_case, write_composed_config
from auto_quantize_model.cli.choices import show_choices
from auto_quantize_model.cli.console import Column, say, table, table_console
from auto_quantize_model.cli.options import (
    CAPTURE_OPTIONS,
    ENGINE_OPTIONS,
    MEASURE_OPTIONS,
    SUITE_OPTIONS,
    add_options,
    capture_settings,
    model_paths,
    suite_of,
)
from auto_quantize_model.cli.progress_bars import progress_bars
from auto_quantize_model.cli.run_records import Records
from auto_quantize_model.collecting import collector_paused
from auto_quantize_model.engine.capture.interrupted import forget
from auto_quantize_model.errors import InputError
from auto_quantize_model.manifest.coverage import coverage_line
from auto_quantize_model.manifest.document import mapping
from auto_quantize_model.options import CLUSTER, CLUSTER_GPUS, HTML, JSON, MODELOPT_RECIPE, OUTPUT
from auto_quantize_model.paths import display_path
from auto_quantize_model.summary.coverage import coverage_lines
from auto_quantize_model.summary.data_line import data_line
from auto_quantize_model.writable import check_file_place, check_folder_place

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from rich.console import Console
    from rich.table import Table

    from auto_quantize_model.cases.suite import Case
    from auto_quantize_model.run import CaseResult

_MEASURED, _INTERVAL = Column("Measured KL", right=True), Column("95 % interval", right=True)
_COLUMNS = (
    Column("Case"),
    Column("Total score", right=True),
    Column("Predicted KL", right=True),
    _MEASURED,
    Column("Bits", right=True),
    Column("Most sensitive group", if_narrow="cut"),
    Column("Its score", right=True),
    _INTERVAL,
    Column("Search"),
)


def add_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser("run", help="Run cases", description="Run cases: one pass over each model.")
    parser.add_argument("-k", dest="expression", default="", metavar="EXPRESSION", help="Select cases, as pytest's -k")
    add_options(
        parser,
        (
            *SUITE_OPTIONS,
            *ENGINE_OPTIONS,
            *CAPTURE_OPTIONS,
            *MEASURE_OPTIONS,
            CLUSTER,
            CLUSTER_GPUS,
            MODELOPT_RECIPE,
            OUTPUT,
            JSON,
            HTML,
        ),
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the selected cases; 0 if nothing is wrong with any of them, else 1."""
    suite = suite_of(arguments)
    cases = suite.select(arguments.expression)
    paths = model_paths(arguments, suite)
    output = (arguments.output or default_output()).absolute()
    check_folder_place(output)
    for file in (arguments.json, arguments.html):
        if file is not None:
            check_file_place(file)

    from rich.console import Console

    progress = Console(stderr=True)
    data = data_line(suite)
    if data is not None:
        say(progress, data)
    records = Records(cases, suite, output, arguments.json, arguments.html)
    results = _run(cases, arguments, paths, records, progress)
    skipped = [result for result in results if result.skipped]
    if len(skipped) == len(results):
        raise InputError(f"none of the selected cases can run here: {skipped[0].case.model.name}: {skipped[0].error}")
    console = table_console()
    console.print(_table([result for result in results if not result.skipped]))
    shares = ((each.case.model.name, coverage_line(each.manifest)) for each in results if each.manifest is not None)
    for line in coverage_lines(shares):
        say(console, line, style="yellow")
    if suite.modelopt_recipe is not None:
        show_choices(console, suite.modelopt_recipe, results, output)
    for model, reason in {result.case.model.name: result.error for result in skipped}.items():
        say(console, f"{model} skipped: {reason}", style="yellow")
    failed = [result for result in results if result.error and not result.skipped]
    for result in failed:
        say(console, f"{result.case.id}: {result.error}", style="red")
    done = len(results) - len(failed) - len(skipped)
    say(console, f"{done} of {len(results)} cases done; artifacts: {display_path(output)}")
    return 1 if failed else 0


def _run(
    cases: Sequence[Case],
    arguments: argparse.Namespace,
    paths: Mapping[str, Path],
    records: Records,
    console: Console,
) -> list[CaseResult]:
    captures = capture_settings(arguments)
    with console.status("importing torch and ModelOpt"), collector_paused():
        from auto_quantize_model.run import run_cases
    results: list[CaseResult] = []
    try:
        with progress_bars(console) as progress:
            records.start()
            for result in run_cases(
                cases,
                engine=arguments.engine,
                device=arguments.device,
                model_paths=paths,
                captures=captures,
                measure=str(arguments.measure),
                measure_on=arguments.measure_on,
                cluster=arguments.cluster,
                cluster_gpus=arguments.cluster_gpus,
                progress=progress,
                notice=lambda line: say(console, line),
            ):
                if not result.skipped and all(earlier.skipped for earlier in results):
                    write_composed_config(cases, records.output)
                if result.manifest is not None:
                    write_case(result.case, result.manifest, records.output, result.scores)
                records.note(result)
                results.append(result)
    except KeyboardInterrupt:
        say(console, f"{len(results)} of {len(cases)} cases were done: {display_path(records.output)}")
        records.write()
        raise
    records.write()
    forget(captures)
    return results


def _table(results: Iterable[CaseResult]) -> Table:
    """One row a case; what was measured takes the place of an interval, since a terminal is only so wide."""
    shown = list(results)
    left_out = _INTERVAL if any(mapping(each.manifest or {}, "measured") for each in shown) else _MEASURED
    kept = [number for number, column in enumerate(_COLUMNS) if column is not left_out]
    rows = ([row[number] for number in kept] for row in map(_row, shown))
    return table([_COLUMNS[number] for number in kept], rows, "Quantization sensitivity")


def _row(result: CaseResult) -> tuple[str, ...]:
    from auto_quantize_model.reports.rows import rows, short_name
    from auto_quantize_model.reports.totals import total_predicted_kl

    if result.manifest is None:
        return (result.case.id, *["-"] * (len(_COLUMNS) - 2), "failed")
    state = result.manifest["autoquant_state"]
    first = rows(result.manifest)[0]
    interval = first["ci95"]
    return (
        result.case.id,
        _number(state["score"]),
        _number(total_predicted_kl(result.manifest)),
        _number(mapping(result.manifest, "measured").get("kl")),
        f"{state['constraints']['effective_bits']:.2f}",
        short_name(first["layer"]),
        _number(first["sensitivity"]),
        "-" if interval is None else f"{interval[0]:.2e} to {interval[1]:.2e}",
        state["status"],
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3e}"
