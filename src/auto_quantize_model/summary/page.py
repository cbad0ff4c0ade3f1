"""A session's dashboard: its cases beside their baselines, with verdicts and causes."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from auto_quantize_model.comparison.sources import Source, read_source
from auto_quantize_model.dashboard.page import render_page
from auto_quantize_model.dashboard.page_data import Remark, page_data
from auto_quantize_model.errors import InputError
from auto_quantize_model.reports.committed_recipes import read_recipes
from auto_quantize_model.whole_files import write_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from auto_quantize_model.baselines.store import Baselines
    from auto_quantize_model.cases.suite import Case, Suite
    from auto_quantize_model.summary.record import Record


def write_session_page(
    file: Path, records: Iterable[Record], case_of: Callable[[Record], tuple[Case, Suite]], baselines: Baselines
) -> None:
    """Write the page of a session; what has neither a baseline nor artifacts is not on it."""
    known = [(record, *case_of(record)) for record in records]
    before, after, models = {}, {}, {}
    for record, case, _ in known:
        models[case.model.name] = case.models_root / case.model.name
        manifest = _baseline(case, baselines)
        place = PurePosixPath(case.run_folder.as_posix(), "manifest.json")
        if manifest is not None:
            before[place] = manifest
        if record.artifacts is not None:
            after[place] = next(iter(read_source(record.artifacts).manifests.values()))
    sources = [Source(name, its) for name, its in (("baselines", before), ("this run", after)) if its]
    if not sources:
        raise InputError(f"{file}: not written: no case has a manifest to show")
    remarks = {record.case: Remark(record.verdict, record.reason) for record, *_ in known}
    recipes = {name: read_recipes(folder, baselines.content) for name, folder in models.items()}
    page = render_page(page_data(sources, recipes, known[0][2].tolerances, remarks))
    write_files(file.parent, {file.name: page})


def _baseline(case: Case, baselines: Baselines) -> dict[str, object] | None:
    try:
        return baselines.manifest(case)
    except InputError:
        return None  # its own test says what is wrong with it
