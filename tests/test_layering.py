"""What may import what: the light parts must start at once, and without what only the heavy ones need."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from tests.places import ROOT

HEAVY = ("torch", "transformers", "modelopt", "pytest")
LIGHT = (
    "auto_quantize_model",
    "auto_quantize_model.explain.explanation",
    "auto_quantize_model.explain.report",
    "auto_quantize_model.availability",
    "auto_quantize_model.comparison.compare",
    "auto_quantize_model.comparison.report",
    "auto_quantize_model.baselines.folders",
    "auto_quantize_model.baselines.index",
    "auto_quantize_model.baselines.publish",
    "auto_quantize_model.comparison.sources",
    "auto_quantize_model.baselines.checks",
    "auto_quantize_model.artifacts",
    "auto_quantize_model.cache",
    "auto_quantize_model.captions.coco",
    "auto_quantize_model.dashboard.page_data",
    "auto_quantize_model.engine.capture.kept",
    "auto_quantize_model.engine.capture.settings",
    "auto_quantize_model.cases.suite",
    "auto_quantize_model.checkpoints.fingerprint",
    "auto_quantize_model.checkpoints.locate",
    "auto_quantize_model.cli",
    "auto_quantize_model.manifest.build",
    "auto_quantize_model.manifest.document",
    "auto_quantize_model.manifest.structure",
    "auto_quantize_model.pictures.case_figure",
    "auto_quantize_model.plan",
    "auto_quantize_model.precision.formats",
    "auto_quantize_model.reports.json_report",
    "auto_quantize_model.reports.markdown",
    "auto_quantize_model.statistics.sufficiency",
    "auto_quantize_model.statistics.uncertainty",
)


# What has been imported before is neither heavy nor the package's own; each of the forks imports on its own.
forked = pytest.mark.usefixtures("light_python")


def imported_by(code: str) -> set[str]:
    script = f"import sys\n{code}\nsys.stdout.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)  # noqa: S603
    return set(done.stdout.split())


@forked
@pytest.mark.parametrize("module", LIGHT)
def test_a_light_module_imports_nothing_heavy(module: str) -> None:
    assert not imported_by(f"import {module}") & set(HEAVY)


@forked
def test_loading_a_suite_and_planning_needs_nothing_heavy() -> None:
    code = (
        "from auto_quantize_model import load_suite\n"
        "from auto_quantize_model.plan import plan_passes\n"
        "plan_passes(load_suite('sensitivity_cases/suite.yaml').select('tiny'))"
    )
    assert not imported_by(code) & set(HEAVY)


@forked
def test_finding_the_embedded_models_checkpoint_needs_no_hub() -> None:
    code = (
        "from auto_quantize_model import load_suite\n"
        "from auto_quantize_model.checkpoints.locate import locate\n"
        "locate(load_suite('sensitivity_cases/suite.yaml').select('tiny')[0])"
    )
    assert not imported_by(code) & {*HEAVY, "huggingface_hub", "gguf"}


def test_loading_the_plugin_costs_a_session_that_does_not_use_it_next_to_nothing() -> None:
    before = imported_by("import pytest, json")
    ours = {name.partition(".")[0] for name in imported_by("import pytest, json, auto_quantize_model.plugin") - before}
    assert ours <= {"auto_quantize_model"} | sys.stdlib_module_names


def test_only_the_plugin_imports_pytest() -> None:
    source = ROOT / "src" / "auto_quantize_model"
    users = {
        path
        for path in source.rglob("*.py")
        if re.search(r"^\s*(import|from) _?pytest", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert {path.relative_to(source).parts[0] for path in users} == {"plugin"}


@forked
def test_running_cases_does_not_need_pytest() -> None:
    assert "pytest" not in imported_by("import auto_quantize_model.run")


def test_public_names_are_there() -> None:
    import auto_quantize_model

    for name in auto_quantize_model.__all__:
        assert getattr(auto_quantize_model, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        auto_quantize_model.nothing  # noqa: B018
