"""The index of a model's baselines, `models/<model>/layer-analysis/README.md`, and its figures, generated from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auto_quantize_model import quoting
from auto_quantize_model.baselines.store import Baselines, baseline_folder
from auto_quantize_model.commands import publish_command
from auto_quantize_model.errors import InputError
from auto_quantize_model.flags import PYTEST_PREFIX
from auto_quantize_model.manifest.document import mapping
from auto_quantize_model.manifest.older import is_older
from auto_quantize_model.pictures.model_figures import FIGURE_NAMES, MEANINGS, render_figures
from auto_quantize_model.quoting import code
from auto_quantize_model.reports import markdown
from auto_quantize_model.reports.committed_recipes import read_recipes
from auto_quantize_model.reports.enough_captions import is_settled
from auto_quantize_model.reports.headline import ranked
from auto_quantize_model.reports.markdown_table import markdown_table, markdown_table_without_ends
from auto_quantize_model.reports.model_answers import answers
from auto_quantize_model.reports.model_cases import ModelCases, bits, total
from auto_quantize_model.reports.quantities import Unit
from auto_quantize_model.reports.rows import rows
from auto_quantize_model.reports.totals import total_predicted_kl
from auto_quantize_model.whole_files import refuse_links, write_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from auto_quantize_model.cases.suite import Case, Suite

NAME = "README.md"

_NOTHING = "n/a"
_MILLI = Unit(1e-3, "m")
"""One unit for all pairs of all models: they are compared with each other."""
_PAIR_COLUMNS = (
    "Pair",
    "Bits",
    "Predicted KL, mnat per token (95 % interval)",
    "Measured KL, mnat per token",
    "Costliest group",
    "Ten most sensitive settled",
    "Reports",
)
_COLUMNS = (
    "Case",
    "Format",
    "Effective Bits",
    "Captions",
    "Total Score",
    "Total Predicted KL",
    "Measured KL",
    "Most Sensitive Group",
    "Regenerate",
)


def index_file(suite: Suite, model: str) -> Path:
    """Where a model's index lies."""
    return _cases(suite, model)[0].models_root / model / "layer-analysis" / NAME


def index_files(suite: Suite, model: str, baselines: Baselines) -> dict[Path, str]:
    """The index of a model and its figures: a function of what is committed for the suite's cases, and its recipes."""
    published = _published(suite, model, baselines)
    newer = [baseline for _, baseline in published if not is_older(baseline)]
    file = index_file(suite, model)
    cases = ModelCases(model, newer, read_recipes(file.parents[1], baselines.content))
    texts = {
        file.name: "".join(f"{line}\n" for line in _lines(suite, model, published, cases)),
        **render_figures(cases),
    }
    return {file.with_name(name): text for name, text in texts.items()}


def write_index(suite: Suite, model: str) -> bool:
    """Bring a model's index and figures up to date; whether that changed anything."""
    stale = {
        file: text for file, text in index_files(suite, model, Baselines()).items() if committed(file) != text.encode()
    }
    for file in stale:
        refuse_links(_cases(suite, model)[0].models_root, file)
    if stale:
        write_files(index_file(suite, model).parent, {file.name: text for file, text in stale.items()})
    return bool(stale)


def committed(file: Path) -> bytes | None:
    """The bytes of a file as it is; None where there is none."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}; check what it is and who may read it") from None


def suite_folder(suite: Suite) -> str:
    """The suite's folder as it is typed beside the models tree; its name alone where it lies elsewhere."""
    folder = suite.path.absolute().parent
    beside = suite.cases[0].models_root.absolute().parent
    return folder.relative_to(beside).as_posix() if folder.is_relative_to(beside) else folder.name


def _cases(suite: Suite, model: str) -> Sequence[Case]:
    return [case for case in suite.cases if case.model.name == model]


def _published(suite: Suite, model: str, baselines: Baselines) -> list[tuple[Case, Mapping[str, Any]]]:
    each = ((case, baselines.manifest(case)) for case in _cases(suite, model))
    return [(case, baseline) for case, baseline in each if baseline is not None]


def _lines(
    suite: Suite, model: str, published: Sequence[tuple[Case, Mapping[str, Any]]], cases: ModelCases
) -> Iterator[str]:
    yield f"# Layer sensitivity of {quoting.markdown(model)}"
    yield ""
    if not published:
        yield f"No case is published yet. To create: {code(publish_command(suite_folder(suite), model))}."
        return
    if cases.predicted:
        yield from answers(cases)
        folder = f"{_cases(suite, model)[0].models_root.name}/{model}"
        yield (
            "- **What did the last publish change?** "
            f"{code(f'python -m auto_quantize_model compare --last-publish {folder}')} says it of every case."
        )
        yield ""
        for name in FIGURE_NAMES:
            yield f"![{MEANINGS[name]}]({name})"
            yield ""
        yield from markdown_table_without_ends(
            _PAIR_COLUMNS, (_pair_cells(suite, cases, pair) for pair in cases.by_cost())
        )
        yield ""
    yield "<details>"
    yield f"<summary>Every case: {len(published)} of {len(_cases(suite, model))} are published</summary>"
    yield ""
    yield "The baselines that runs are compared with: one folder a case, with its manifest and the reports rendered"
    yield "from it. This page is generated from the manifests whenever a case is published; edits are lost. Captions"
    yield "are those calibrated with; the total predicted KL and the measured KL are in nats per token."
    yield ""
    yield from markdown_table(_COLUMNS, (_cells(suite, case, baseline) for case, baseline in published))
    yield ""
    yield "</details>"


def _pair_cells(suite: Suite, cases: ModelCases, pair: str) -> Iterator[str]:
    """What is known of a pair at its largest size, with the way to the reports of all."""
    manifest = cases.largest(pair)
    predicted, interval = total(manifest)
    groups = ranked(rows(manifest))
    statistics = manifest.get("statistics")
    yield code(pair)
    yield f"{bits(manifest):g}"
    yield f"{_MILLI.show(predicted)}{'' if interval is None else f' ({_MILLI.show_interval(interval)})'}"
    yield _MILLI.show(mapping(manifest, "measured").get("kl"))
    yield quoting.markdown(groups[0].place.label) if groups and groups[0].cost is not None else _NOTHING
    yield _NOTHING if statistics is None else ("yes" if is_settled(statistics) else "no")
    published = cases.of_pair(pair)
    its = (case for case in _cases(suite, cases.model) if case.pair.name == pair and case.size in published)
    yield " ".join(f"[{case.size}]({_report(suite, case)})" for case in its)


def _report(suite: Suite, case: Case) -> str:
    """The way from the index to a case's report."""
    folder = baseline_folder(case).relative_to(index_file(suite, case.model.name).parent)
    return (folder / markdown.NAME).as_posix()


def _cells(suite: Suite, case: Case, baseline: Mapping[str, Any]) -> Iterator[str]:
    newer = not is_older(baseline)
    state = mapping(baseline, "autoquant_state")
    bits = mapping(state, "constraints").get("effective_bits")
    yield f"[{quoting.markdown(case.id)}]({_report(suite, case)})"
    yield code(baseline["quantization"]["format"]) if newer else _NOTHING
    yield _NOTHING if bits is None else f"{bits:.2f}"
    yield str(baseline["calibration"]["calibrated_samples"]) if newer else _NOTHING
    yield _scientific(state.get("score"))
    yield _scientific(total_predicted_kl(baseline) if newer else None)
    measured = mapping(baseline, "measured").get("kl")
    yield _scientific(measured)
    worst = rows(baseline)[0]
    yield code(worst["layer"]) if worst.get("sensitivity") is not None else _NOTHING
    measuring = () if measured is None else (f"{PYTEST_PREFIX}measure", "cases")
    yield code(publish_command(suite_folder(suite), case.id, *measuring))


def _scientific(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.3e}"
