from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from tests.manifests import build

from auto_quantize_model import load_suite
from auto_quantize_model.baselines.checks import absolute_paths, stale_index
from auto_quantize_model.baselines.index import index_file, index_files, suite_folder, write_index
from auto_quantize_model.baselines.publish import publish_case
from auto_quantize_model.baselines.store import Baselines, baseline_folder
from auto_quantize_model.pictures.model_figures import FIGURE_NAMES

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from auto_quantize_model import Suite

MODEL = "qwen3_vl_tiny"


def index_text(suite: Suite, model: str, baselines: Baselines) -> str:
    return index_files(suite, model, baselines)[index_file(suite, model)]


def publish(suite: Suite, expression: str) -> None:
    for case in suite.select(expression):
        publish_case(case, build(case), None)


def test_an_empty_place_explains_itself(tiny_suite: Suite) -> None:
    assert index_text(tiny_suite, MODEL, Baselines()) == (
        "# Layer sensitivity of qwen3_vl_tiny\n\n"
        "No case is published yet. To create: `pytest -m gpu sensitivity_cases -k qwen3_vl_tiny --publish`.\n"
    )


def test_it_has_a_row_for_every_baseline_in_the_suites_order(tiny_suite: Suite) -> None:
    publish(tiny_suite, "wfp8_afp8 and large")
    publish(tiny_suite, "wfp8_afp8 and small")
    publish(tiny_suite, "wfp4_afp16 and small")
    text = index_text(tiny_suite, MODEL, Baselines())
    header, _, *rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    assert dict(zip(header, rows[1], strict=True)) == {
        "Case": (
            "[qwen3_vl_tiny-wfp8_afp8-small]"
            "(weight-fp8-act-fp8/qwen3_vl_tiny_autoquant_wfp8_afp8_lm_small/per-layer-sensitivity.md)"
        ),
        "Format": "`FP8_DEFAULT_CFG`",
        "Effective Bits": "8.00",
        "Captions": "16",
        "Total Score": "3.270e-04",
        "Total Predicted KL": "9.810e-03",
        "Measured KL": "n/a",
        "Most Sensitive Group": "`model.language_model.layers.0.mlp.gate_proj`",
        "Regenerate": "`pytest -m gpu sensitivity_cases -k qwen3_vl_tiny-wfp8_afp8-small --publish`",
    }
    shown = [row[0].split("]")[0].removeprefix("[") for row in rows]
    assert shown == [case.id for case in tiny_suite.cases if (case.pair.name, case.size) in PUBLISHED]
    assert "3 of 30 are published" in text
    for row in rows:
        link = row[0].split("(")[1].rstrip(")")
        assert (index_file(tiny_suite, MODEL).parent / link).is_file()


PUBLISHED = {("wfp8_afp8", "large"), ("wfp8_afp8", "small"), ("wfp4_afp16", "small")}


def test_it_is_written_only_if_it_changes(tiny_suite: Suite) -> None:
    file = index_file(tiny_suite, MODEL)
    assert write_index(tiny_suite, MODEL)
    before = file.stat()
    assert not write_index(tiny_suite, MODEL)
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    publish(tiny_suite, "wfp8_afp8 and small")
    assert write_index(tiny_suite, MODEL)
    assert file.read_text(encoding="utf-8") == index_text(tiny_suite, MODEL, Baselines())


def test_a_stale_index_is_named_with_the_mend(tiny_suite: Suite) -> None:
    file = index_file(tiny_suite, MODEL)
    (missing,) = stale_index(tiny_suite, MODEL, Baselines())
    assert missing.startswith(f"{file}: missing; write it again")
    write_index(tiny_suite, MODEL)
    assert not list(stale_index(tiny_suite, MODEL, Baselines()))
    publish(tiny_suite, "wfp8_afp8 and small")
    stale, *figures = stale_index(tiny_suite, MODEL, Baselines())
    assert stale.startswith(f"{file}: line 3 is 'No case is published yet.")
    assert [each.partition(": ")[0] for each in figures] == [str(file.with_name(name)) for name in FIGURE_NAMES]
    for path in baseline_folder(tiny_suite.select("wfp8_afp8 and small")[0]).glob("*manifest.json"):
        path.write_text("{")
    (broken,) = stale_index(tiny_suite, MODEL, Baselines())
    assert "not valid JSON" in broken


def test_it_holds_nothing_of_the_machine(tiny_suite: Suite, tmp_path: Path) -> None:
    publish(tiny_suite, "wfp8_afp8")
    write_index(tiny_suite, MODEL)
    assert not list(absolute_paths([index_file(tiny_suite, MODEL)], Baselines()))
    assert str(tmp_path) not in index_text(tiny_suite, MODEL, Baselines())


def test_it_is_the_same_from_wherever_it_is_made(tiny_suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(tiny_suite, "wfp8_afp8")
    monkeypatch.chdir(tiny_suite.path.parent)
    near = load_suite("suite.yaml", models_root="../models", overrides=["suite.models=[qwen3_vl_tiny]"])
    assert index_text(near, MODEL, Baselines()) == index_text(tiny_suite, MODEL, Baselines())


def test_a_suite_elsewhere_goes_by_its_name(tiny_suite: Suite, tmp_path: Path) -> None:
    assert suite_folder(tiny_suite) == "sensitivity_cases"
    deeper = tmp_path / "suites" / "mine"
    shutil.copytree(tiny_suite.path.parent, deeper)
    models = tiny_suite.cases[0].models_root
    overrides = ["suite.models=[qwen3_vl_tiny]"]
    assert suite_folder(load_suite(deeper / "suite.yaml", models, overrides)) == "suites/mine"
    outside = tmp_path / "outside" / "models"
    shutil.copytree(models, outside)
    assert suite_folder(load_suite(deeper / "suite.yaml", outside, overrides)) == "mine"
