"""Which suite a command takes when none is named; `explain` says so when it is asked for a case that is in none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auto_quantize_model.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def error_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], str]:
    def explain(folder: str) -> str:
        monkeypatch.chdir(tmp_path / folder)
        assert main(["explain", "nothing"]) == 2
        return capsys.readouterr().err

    return explain


def write_suite(folder: Path) -> None:
    model = folder / "models" / "mine" / "model.yaml"
    model.parent.mkdir(parents=True)
    model.write_text("family: causal_lm\n", encoding="utf-8")
    (folder / "suite.yaml").write_text("models: [mine]\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("suite", "start", "named"),
    [
        ("", "", "suite.yaml"),
        ("sensitivity_cases", "", "sensitivity_cases/suite.yaml"),
        ("sensitivity_cases", "sensitivity_cases", "suite.yaml"),
        ("", "models/mine", "{root}/suite.yaml"),
        ("sensitivity_cases", "tests/deep", "{root}/sensitivity_cases/suite.yaml"),
    ],
)
def test_a_suite_is_found_here_above_and_in_its_usual_folder(
    tmp_path: Path, error_in: Callable[[str], str], suite: str, start: str, named: str
) -> None:
    write_suite(tmp_path / suite)
    (tmp_path / start).mkdir(parents=True, exist_ok=True)
    assert error_in(start).startswith(f"error: case 'nothing' is not in {named.format(root=tmp_path)}; ")


def test_the_nearest_suite_is_taken(tmp_path: Path, error_in: Callable[[str], str]) -> None:
    write_suite(tmp_path)
    write_suite(tmp_path / "inner" / "sensitivity_cases")
    assert "is not in sensitivity_cases/suite.yaml;" in error_in("inner")
    assert "is not in suite.yaml;" in error_in("")


def test_without_a_suite_it_says_what_it_looked_for(tmp_path: Path, error_in: Callable[[str], str]) -> None:
    assert error_in("") == (
        "error: no suite: neither suite.yaml nor sensitivity_cases/suite.yaml is in "
        f"{tmp_path} or a folder above it; run from the repository's root or give --suite FILE\n"
    )
