"""Runs killed at any moment, from capture to publishing: the next one succeeds, and nothing is half there.

`KILLS` says how many; `nox -s kills` takes a hundred.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from tests.places import TINY

from auto_quantize_model import load_suite
from auto_quantize_model.baselines.store import has_baseline, read_baseline
from auto_quantize_model.manifest.document import check_manifest

if TYPE_CHECKING:
    from pathlib import Path

KILLS = int(os.environ.get("KILLS", "4"))
SEED = os.environ.get("KILLS_SEED", "1")
SUITE = "models: [qwen3_vl_tiny]\npairs: [wfp8_afp16, wint8_afp16]\nsizes: [small]\nrecipes: [mine]\n"
RECIPE = "budget: {bits: 10}\npairs: [wfp8_afp16, wint8_afp16]\nsize: small\n"
TESTS = """
def test_sensitivity(sensitivity_case):
    sensitivity_case.check_artifacts()

def test_recipe(sensitivity_recipe):
    sensitivity_recipe.check_measured()
"""
OUR_FILES = {".safetensors", ".lock", ".json"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "conf" / "recipe").mkdir(parents=True)
    (tmp_path / "conf" / "recipe" / "mine.yaml").write_text(RECIPE, encoding="utf-8")
    (tmp_path / "suite.yaml").write_text(SUITE, encoding="utf-8")
    (tmp_path / "test_mine.py").write_text(TESTS, encoding="utf-8")
    model = tmp_path / "models" / "qwen3_vl_tiny"
    model.mkdir(parents=True)
    shutil.copy(TINY / "model.yaml", model)
    (model / "checkpoint").symlink_to(TINY / "checkpoint")
    return tmp_path


def start(project: Path) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--publish",
        "--sensitivity-device",
        "cpu",
    ]
    places = ["--sensitivity-capture-dir", str(project / "captures"), "--sensitivity-keep-capture"]
    places += ["--sensitivity-output", str(project / "out")]
    return subprocess.Popen(  # noqa: S603
        [*command, *places], cwd=project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finish(project: Path) -> float:
    """Run to the end; how long that took."""
    began = time.monotonic()
    with start(project) as process:
        said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    return time.monotonic() - began


def check_baselines(project: Path) -> None:
    """Each is there whole or not at all, wherever a killed publish has left it."""
    for case in load_suite(project / "suite.yaml").cases:
        if has_baseline(case):
            manifest = read_baseline(case)
            assert manifest is not None
            check_manifest(manifest)


@pytest.mark.usefixtures("warm_python")
def test_the_next_run_succeeds_and_leaves_nothing_half_done(project: Path) -> None:
    chance = random.Random(SEED)  # noqa: S311  no secret
    longest = finish(project)
    recipe = project / "models" / "qwen3_vl_tiny" / "recipes" / "mine"
    expected = {file.name: file.read_bytes() for file in recipe.iterdir()}
    for number in range(KILLS):
        gone = chance.choice(("captures", "models/qwen3_vl_tiny/layer-analysis", "models/qwen3_vl_tiny/recipes"))
        shutil.rmtree(project / gone, ignore_errors=True)
        with start(project) as process:
            time.sleep(chance.uniform(0, longest))
            process.send_signal(signal.SIGKILL)
            process.communicate()
        check_baselines(project)
        if number % 4 == 3 or number == KILLS - 1:
            finish(project)
            assert {file.name: file.read_bytes() for file in recipe.iterdir()} == expected, number
            leftovers = [
                path
                for place in ("models", "captures", "out")
                for path in (project / place).rglob("*")
                if path.suffix == ".part" or path.name == ".publishing"
            ]
            assert leftovers == []
            kept = {path.suffix for path in (project / "captures").rglob("*") if path.is_file()}
            assert kept <= OUR_FILES, kept
