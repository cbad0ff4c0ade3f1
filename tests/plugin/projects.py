"""A stranger's suite in an empty folder, to run pytest on."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from typing import TYPE_CHECKING, Any

import yaml
from tests.places import TINY

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pytest

TEST_FILE = """
def test_sensitivity(sensitivity_case):
    sensitivity_case.check_artifacts()
    sensitivity_case.check_baseline()
"""


@dataclasses.dataclass(frozen=True)
class Project:
    """Models `one` and `two`, which share the embedded checkpoint; two pairs; the small size."""

    pytester: pytest.Pytester

    @property
    def root(self) -> Path:
        return self.pytester.path

    def write_suite(self, **values: Any) -> None:
        settings = {"models": ["one"], "pairs": ["wfp8_afp16", "wint8_aint8"], "sizes": ["small"], **values}
        (self.root / "suite.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")

    def write_model(self, name: str, **values: Any) -> None:
        settings = {"family": "qwen3_vl", "dtype": "float32", "path": str(TINY / "checkpoint"), **values}
        folder = self.root / "models" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")

    def write_tests(self, text: str = TEST_FILE, name: str = "test_mine.py") -> None:
        (self.root / name).write_text(textwrap.dedent(text), encoding="utf-8")

    def write_pair(self, name: str, text: str) -> None:
        file = self.root / "conf" / "quant_pair" / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text), encoding="utf-8")

    def write_file(self, name: str, text: str) -> Path:
        """A file of the suite's, wherever below it."""
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def run(self, *arguments: str) -> pytest.RunResult:
        """Run in this process, where torch is imported already."""
        return self.pytester.runpytest_inprocess(
            "--sensitivity-device", "cpu", "--sensitivity-output", "out", *arguments
        )

    def run_apart(self, *arguments: str) -> pytest.RunResult:
        """Run in a process of its own."""
        return self.pytester.runpytest_subprocess("--sensitivity-output", "out", *arguments)

    def files(self, folder: str = "models") -> dict[str, bytes]:
        root = self.root / folder
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}

    def manifest_file(self, case_id: str) -> Path:
        model, pair, size = case_id.rsplit("-", 2)
        (found,) = self.root.glob(f"models/{model}/layer-analysis/*/{model}_autoquant_{pair}_lm_{size}/*manifest.json")
        return found

    def edit_manifest(self, case_id: str, edit: Any) -> Path:
        file = self.manifest_file(case_id)
        manifest = json.loads(file.read_text(encoding="utf-8"))
        edit(manifest)
        file.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        return file


def scaled(group: int, factor: float) -> Any:
    """An edit that scales the score of one group."""

    def edit(manifest: dict[str, Any]) -> None:
        entry = list(manifest["layer_sensitivity"].values())[group]
        entry["importance"] *= factor
        entry["scores"][0] *= factor

    return edit


def lines_with(result: pytest.RunResult, part: str) -> list[str]:
    lines: Iterable[str] = result.outlines + result.errlines
    return [line for line in lines if part in line]
