from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest
from tests.places import CUDA_ALONE, ROOT, SUITE

from auto_quantize_model.cli import main

if TYPE_CHECKING:
    from pathlib import Path


def test_it_shows_every_pair_and_what_runs_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pairs", "--suite", str(SUITE), "--device", "cpu"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split("│")[1].strip(): line for line in lines if line.startswith("│")}
    assert len(rows) == 10
    assert "W4A8_NVFP4_FP8_CFG, changed" in rows["wfp4_afp8"]
    assert "auto_quantize_model_nvfp4" in rows["wfp4_afp8"]
    assert "modelopt eager" in rows["wint8_aint8"]
    stored = {name: [cell.strip() for cell in row.split("│")][5] for name, row in rows.items()}
    assert [stored[name] for name in ("wfp4_afp8", "wmxfp4_afp16", "wint8_afp16")] == ["4.5+", "4.25", "8+"]


def test_a_pair_that_cannot_run_here_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    changes = f"quant_pair.format={CUDA_ALONE}"
    arguments = ["pairs", "--suite", str(SUITE), "--device", "cpu", "--override", changes]
    assert main([*arguments, "--override", "suite.pairs=[wfp8_afp8]"]) == 1
    assert "wfp8_afp8 cannot run here: format 'E5M2' cannot run on cpu:" in capsys.readouterr().out


def test_without_a_suite_it_says_where_to_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["pairs"]) == 2
    assert "run from the repository's root or give --suite FILE" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["rnu"], ["run", "--engine", "other"], ["report"]])
def test_wrong_usage_exits_with_two(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


def test_help_lists_the_commands() -> None:
    command = [sys.executable, "-m", "auto_quantize_model", "--help"]
    shown = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout  # noqa: S603
    for name in ("run", "report", "pairs", "captions"):
        assert f"  {name} " in shown


def test_it_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"auto-quantize-model {version('auto-quantize-model')}\n"
