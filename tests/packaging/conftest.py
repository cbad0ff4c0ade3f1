from __future__ import annotations

import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest
from tests.places import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Build = Callable[[str, Path], Path]


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Builds a target, `wheel` or `sdist`, from a source tree with the installed hatchling; returns the file."""

    def run(target: str, source: Path) -> Path:
        folder = tmp_path_factory.mktemp(target)
        command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
        done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)  # noqa: S603
        assert done.returncode == 0, done.stderr
        (file,) = folder.iterdir()
        return file

    return run


@pytest.fixture(scope="session")
def wheel(build: Build) -> Path:
    return build("wheel", ROOT)


@pytest.fixture(scope="session")
def unpacked_wheel(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the wheel, installed, would add to: put it on `PYTHONPATH`."""
    folder = tmp_path_factory.mktemp("unpacked_wheel")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder
