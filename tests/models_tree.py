"""Fixtures for tests that need a models tree of the embedded model, without weights or baselines."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from tests.manifests import build
from tests.places import SUITE, TINY

from auto_quantize_model import load_suite

if TYPE_CHECKING:
    from pathlib import Path

    from auto_quantize_model import Case, Suite


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A models tree without weights or baselines, with the suite beside it."""
    root = tmp_path / "models"
    (root / TINY.name / "checkpoint").mkdir(parents=True)
    shutil.copy(TINY / "model.yaml", root / TINY.name)
    shutil.copytree(SUITE.parent, tmp_path / SUITE.parent.name, ignore=shutil.ignore_patterns("*.py", "__*__"))
    return root


@pytest.fixture
def tiny_suite(models: Path) -> Suite:
    suite = models.parent / SUITE.parent.name / SUITE.name
    return load_suite(suite, models_root=models, overrides=[f"suite.models=[{TINY.name}]"])


@pytest.fixture
def case(tiny_suite: Suite) -> Case:
    (only,) = tiny_suite.select("wfp8_afp8 and small")
    return only


@pytest.fixture
def manifest(case: Case) -> dict[str, Any]:
    return build(case)
