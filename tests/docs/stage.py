"""A small repository to run the pages' commands in: every model is the embedded one, every size a few captions."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import yaml
from tests.places import ROOT, TINY

from auto_quantize_model import load_suite, run_cases
from auto_quantize_model.baselines.index import write_index
from auto_quantize_model.baselines.publish import publish_case

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MODELS = ("qwen3_vl_tiny", "qwen3_vl_4b_instruct", "smollm2_135m")
PAIRS = ("wint8_aint8", "wfp8_afp8", "wfp4_afp16")
SIZES = {"small": 2, "medium": 3, "large": 4}
COCO = "captions_train2017.json"


def build(root: Path) -> None:
    """Write the repository, with a baseline for each case."""
    shutil.copy(ROOT / "pyproject.toml", root)
    cases = root / "sensitivity_cases"
    shutil.copytree(ROOT / "sensitivity_cases", cases, ignore=shutil.ignore_patterns("__pycache__"))
    _write(cases / "suite.yaml", {"models": list(MODELS), "pairs": list(PAIRS)})
    captions = {"root": "data", "captions_path": "embedded_captions_{size}.txt", "size_to_max_samples": SIZES}
    _write(cases / "conf" / "dataset" / "embedded_captions.yaml", captions)
    _write(cases / "conf" / "autoquant" / "default.yaml", {"batch_size": 2})
    for model in MODELS:
        (root / "models" / model).mkdir(parents=True)
        settings = {"family": "qwen3_vl", "dtype": "float32", "path": str(TINY / "checkpoint")}
        _write(root / "models" / model / "model.yaml", settings)
    annotations = [{"id": number, "image_id": number, "caption": f"caption {number}"} for number in range(600)]
    (root / COCO).write_text(json.dumps({"annotations": annotations}), encoding="utf-8")
    suite = load_suite(cases / "suite.yaml")
    for result in run_cases(suite.cases):
        assert result.manifest is not None, result.error
        publish_case(result.case, result.manifest, None)
    for model in MODELS:
        write_index(suite, model)
    update = ("-m", "not gpu", "sensitivity_cases", "-k", "not config", "-q", "--snapshot-update")
    done = subprocess.run([sys.executable, "-m", "pytest", *update], cwd=root, capture_output=True, text=True)  # noqa: S603, PLW1510
    assert done.returncode == 0, done.stdout + done.stderr


def make_git_repository(root: Path) -> None:
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@b.c")
    for words in (("init", "-q"), ("add", "models"), ("commit", "-qm", "All")):
        subprocess.run([*git, *words], cwd=root, check=True)  # noqa: S603


def _write(file: Path, settings: Mapping[str, object]) -> None:
    file.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
