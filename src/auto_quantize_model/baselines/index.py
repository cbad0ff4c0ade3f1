"""The index of a model's baselines: `models/<model>/layer-analysis/README.md`, generated from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auto_quantize_model import quoting
from auto_quantize_model.baselines.store import Baselines, baseline_folder
from auto_quantize_model.commands import publish_command
from auto_quantize_model.errors import InputError
from auto_quantize_model.flags import PYTEST_PREFIX
from auto_quantize_model.manifest.document import mapping
from auto_quantize_model.manifest.older import is_older
from auto_quantize_model.quoting import code
from auto_quantize_model.reports import markdown
from auto_quantize_model.reports.markdown_table import markdown_table
from auto_quantize_model.reports.rows import rows
from auto_quantize_model.reports.totals import total_predicted_kl
from auto_quantize_model.whole_files import refuse_links, write_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from auto_quantize_model.cases.suite import Case, Suite

NAME = "README.md"

_NOTHING = "n/a"
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


def index_text(suite: Suite, model: str, baselines: Baselines) -> str:
    """The index of a model: a function of the committed baselines of the suite's cases and of nothing else."""
    return "".join(f"{line}\n" for line in _lines(suite, model, baselines))


def write_index(suite: Suite, model: str) -> bool:
    """Bring a model's index up to date; whether that changed it."""
    file, text = index_file(suite, model), index_text(suite, model, Baselines())
    if committed_index(suite, model) == text.encode():
        return False
    refuse_links(_cases(suite, model)[0].models_root, file)
    write_files(file.parent, {file.name: text})
    return True


def committed_index(suite: Suite, model: str) -> bytes | None:
    """The bytes of a model's index as it is; None where there is none."""
    file = index_file(suite, model)
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


def _lines(suite: Suite, model: str, baselines: Baselines) -> Iterator[str]:
    cases = _cases(suite, model)
    published = [(case, baseline) for case in cases if (baseline := baselines.manifest(case)) is not None]
    yield f"# Layer sensitivity of {quoting.markdown(model)}"
    yield ""
    if not published:
        yield f"No case is published yet. To create: {code(publish_command(suite_folder(suite), model))}."
        return
    yield "The baselines that runs are compared with: one folder a case, with its manifest and the reports rendered"
    yield "from it. This page is generated from the manifests whenever a case is published; edits are lost. Captions"
    yield "are those calibrated with; the total predicted KL and the measured KL are in nats per token."
    yield ""
    yield from markdown_table(_COLUMNS, (_cells(suite, case, baseline) for case, baseline in published))
    if len(published) < len(cases):
        yield ""
        yield f"{len(published)} of {len(cases)} cases are published."


def _cells(suite: Suite, case: Case, baseline: Mapping[str, Any]) -> Iterator[str]:
    report = baseline_folder(case).relative_to(index_file(suite, case.model.name).parent) / markdown.NAME
    newer = not is_older(baseline)
    state = mapping(baseline, "autoquant_state")
    bits = mapping(state, "constraints").get("effective_bits")
    yield f"[{quoting.markdown(case.id)}]({report.as_posix()})"
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
