"""The first hour: a suite for a checkpoint, and what this machine lacks to run it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.places import TINY

from auto_quantize_model import load_suite
from auto_quantize_model.cli import main

if TYPE_CHECKING:
    from pathlib import Path

CHECKPOINT = TINY / "checkpoint"


def completed(line: str, folder: Path) -> list[str]:
    """What a shell is told that asks how a line could go on."""
    answer = folder / "answer"
    asked = {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE_IFS": "\n"}
    environment = {**os.environ, **asked, "_ARGCOMPLETE_STDOUT_FILENAME": str(answer), "_ARGCOMPLETE_SHELL": "bash"}
    script = [sys.executable, "-m", "auto_quantize_model"]
    subprocess.run(script, env=environment, check=True, timeout=60)  # noqa: S603
    return [each.strip() for each in answer.read_text(encoding="utf-8").splitlines()]


def test_a_shell_completes_commands_and_options(tmp_path: Path) -> None:
    assert {"dashboard", "doctor"} == set(completed("auto-quantize-model d", tmp_path))
    assert "--format" in completed("auto-quantize-model compare --f", tmp_path)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_init_writes_a_suite_that_loads_and_says_what_to_type(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / ".gitignore").write_text("mine\ntmp/", encoding="utf-8")
    assert main(["init", str(CHECKPOINT), "--name", "mine"]) == 0
    suite = load_suite(here / "suite.yaml")
    (model,) = suite.models
    assert (model.name, model.family, model.dtype, model.path) == ("mine", "qwen3_vl", "bfloat16", CHECKPOINT)
    ignored = (here / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert ignored == ["mine", "tmp/", "models/*/layer-analysis/.publishing/", "models/*/checkpoint/"]
    assert "sensitivity_case.check_baseline()" in (here / "test_mine.py").read_text(encoding="utf-8")
    out = capsys.readouterr().out
    assert "python -m auto_quantize_model doctor" in out
    assert "pytest -k 'mine and small' --publish" in out


def test_init_writes_over_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "suite.yaml").write_text("mine", encoding="utf-8")
    assert main(["init", str(CHECKPOINT)]) == 2
    assert "suite.yaml: is there already" in capsys.readouterr().err
    assert [each.name for each in here.iterdir()] == ["suite.yaml"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nothing/at/all", "no such folder"),
        ("nowhere", "OWNER/NAME"),
        ("empty", "config.json: no such file"),
        ("unknown", "no family loads model_type 'nothing'"),
        ("list", "no mapping of keys"),
        ("file.txt", "neither a folder nor a GGUF file"),
    ],
)
def test_init_refuses_in_one_line(here: Path, capsys: pytest.CaptureFixture[str], text: str, says: str) -> None:
    for name, content in (("unknown", '{"model_type": "nothing"}'), ("list", "[]")):
        (here / name).mkdir()
        (here / name / "config.json").write_text(content, encoding="utf-8")
    (here / "empty").mkdir()
    (here / "file.txt").write_text("", encoding="utf-8")
    assert main(["init", text]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert not (here / "suite.yaml").exists()
    assert main(["init", str(CHECKPOINT), "--name", "a/b"]) == 2


def test_a_gguf_file_is_a_causal_model(here: Path) -> None:
    (here / "My Model-Q8.gguf").write_bytes(b"GGUF")
    assert main(["init", "My Model-Q8.gguf", "--output", "suite"]) == 0
    (model,) = load_suite(here / "suite" / "suite.yaml").models
    assert (model.name, model.family) == ("my_model_q8", "causal_lm")


def test_a_name_on_the_hub_needs_its_config_alone(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def download(name: str, file: str) -> str:
        asked.append((name, file))
        if name == "a/away":
            raise OSError("no\nnetwork")
        return str(CHECKPOINT / file)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    assert main(["init", "a/away"]) == 2
    assert "its config.json cannot be had: no" in capsys.readouterr().err
    assert main(["init", "Someone/A-Model"]) == 0
    (model,) = load_suite(here / "suite.yaml").models
    assert (model.name, model.hub_id, model.family) == ("a_model", "Someone/A-Model", "qwen3_vl")
    assert asked == [("a/away", "config.json"), ("Someone/A-Model", "config.json")]


def test_doctor_says_what_would_run(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(CHECKPOINT), "--name", "mine"]) == 0
    assert main(["doctor", "--device", "cpu"]) == 0
    out = capsys.readouterr().out
    told = ("torch ", "pairs: 10 of 10 run on cpu", "captions embedded_captions large: 512", "model mine: 30 cases")
    for line in told:
        assert line in out
    assert out.endswith("30 of 30 cases can run here\n")


def test_doctor_names_what_is_missing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(CHECKPOINT, here / "gone")
    assert main(["init", "gone"]) == 0
    shutil.rmtree(here / "gone")
    assert main(["doctor", "--device", "cpu"]) == 1
    out = capsys.readouterr().out
    assert "model gone: no checkpoint in " in out
    assert "0 of 30 cases can run here" in out
