from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import pytest
from tests.places import ROOT, SUITE, TINY
from tests.warm_python import start

from auto_quantize_model import load_suite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from auto_quantize_model import Suite


# Where files are shared out between processes, a long one that comes last leaves the others idle.
LONGEST_FIRST = (
    "tests/engine/test_replay_equals_modelopt.py",
    "tests/plugin/test_distribution.py",
    "tests/suite/test_repository_suite.py",
    "tests/plugin/test_plugin.py",
    "tests/packaging/test_stranger.py",
    "tests/engine/test_bfloat16.py",
    "tests/engine/test_coverage.py",
    "tests/docs/test_commands.py",
    "tests/explain/test_explanation.py",
    "tests/engine/test_split.py",
    "tests/engine/test_memory.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Only the order of the files changes: pytest-xdist takes it with `--no-loadscope-reorder`."""
    place = {str(ROOT / name): number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: place.get(str(item.path), len(place)))


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests see nothing of the user's caches and checkpoints, and share a cache of their own."""
    from huggingface_hub import constants

    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SENSITIVITY_CACHE", str(folder / "sensitivity"))
        patch.delenv("SENSITIVITY_MODEL_PATH", raising=False)
        # Threads that spin while they wait would keep another process of a test from the processors.
        patch.setenv("OMP_WAIT_POLICY", "passive")
        # For the processes that tests start, and for this one, which has read it.
        patch.setenv("HF_HUB_CACHE", str(folder / "hub"))
        patch.setattr(constants, "HF_HUB_CACHE", str(folder / "hub"))
        yield


@pytest.fixture(scope="session")
def suite() -> Suite:
    return load_suite(SUITE)


@pytest.fixture
def as_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """An inner pytest prints what it prints to a user: in what it takes for a CI, it says some things twice."""
    for name in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def _with_modelopt(_own_cache: None) -> Iterator[str]:
    import torch

    if torch.cuda.is_available():
        yield sys.executable  # what CUDA has begun does not survive a fork
    else:
        with start.warm_python(start.HEAVY) as executable:
            yield executable


@pytest.fixture(scope="session")
def _without_torch(_own_cache: None) -> Iterator[str]:
    with start.warm_python(start.LIGHT) as executable:
        yield executable


@pytest.fixture(scope="session")
def fresh_python() -> str:
    """A Python that has imported nothing."""
    return sys.executable


@pytest.fixture
def warm_python(_with_modelopt: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The processes that a test starts, and those that they start, do not pay for the import of ModelOpt."""
    monkeypatch.setattr(sys, "executable", _with_modelopt)


@pytest.fixture
def light_python(_without_torch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The processes that a test starts have imported what the package always needs, but not torch nor pytest."""
    monkeypatch.setattr(sys, "executable", _without_torch)


@pytest.fixture
def tiny_copy(tmp_path: Path) -> Path:
    """A models tree of one's own, to break."""
    root = tmp_path / "models"
    shutil.copytree(TINY, root / "qwen3_vl_tiny", ignore=shutil.ignore_patterns("layer-analysis"))
    return root


@pytest.fixture(scope="session")
def llama_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models tree with a small, randomly initialised Llama."""
    from tests.small_models import build_llama

    root = tmp_path_factory.mktemp("llama_root")
    build_llama(root / "llama" / "checkpoint")
    (root / "llama" / "model.yaml").write_text("family: causal_lm\ndtype: float32\n", encoding="utf-8")
    return root


@pytest.fixture(scope="session")
def llama_suite(llama_root: Path) -> Callable[..., Suite]:
    """The whole matrix for the small Llama, with overrides."""

    def load(*overrides: str) -> Suite:
        return load_suite(SUITE, models_root=llama_root, overrides=["suite.models=[llama]", *overrides])

    return load
