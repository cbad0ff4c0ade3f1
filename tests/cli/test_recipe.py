"""`recipe` as a user meets it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.places import ROOT, SUITE

from auto_quantize_model import load_suite
from auto_quantize_model.cli import main

if TYPE_CHECKING:
    from pathlib import Path

MODELS = ROOT / "models"


def recipe(*arguments: str, model: str = "qwen3_vl_tiny") -> int:
    return main(["recipe", "--model", model, "--suite", str(SUITE), *arguments])


def test_it_writes_every_file_and_says_what_it_chose(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pairs = "wfp4_afp16,wfp8_afp8"
    assert recipe("--bits", "6", "--pairs", pairs, "--runtime", "vllm", "--output", str(tmp_path / "r")) == 0
    names = {path.name for path in (tmp_path / "r").iterdir()}
    assert names == {
        *("recipe.yaml", "recipe.json", "recipe.md", "recipe.svg", "pareto.json", "quant_cfg.json"),
        "hf_quant_config.json",
    }
    document = json.loads((tmp_path / "r" / "recipe.json").read_text(encoding="utf-8"))
    assert document["budget"] == {"bits": 6.0}
    assert document["effective_bits"] <= 6
    assert document["measured"] is None
    groups = document["assignment"].values()
    assert {entry["pair"] for entry in groups} <= {"wfp4_afp16", "wfp8_afp8", "none"}
    assert sum(len(entry["modules"]) for entry in groups) == 56
    shown = capsys.readouterr().out
    assert "Not proved: nothing was measured." in shown
    assert f"files: {tmp_path / 'r'}" in shown


def test_it_takes_what_a_run_wrote(tmp_path: Path) -> None:
    arguments = ("--size", "small", "--from", str(MODELS), "--output", str(tmp_path / "r"))
    assert recipe("--share", "0.6", *arguments) == 0
    document = json.loads((tmp_path / "r" / "recipe.json").read_text(encoding="utf-8"))
    assert len(document["pairs"]) == 10
    assert document["gigabytes"] <= 0.6 * 0.004012


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bits", "3"], "below the least that these pairs can do"),
        (["--bits", "5", "--pairs", "wfp4_afp1"], "did you mean 'wfp4_afp16'?"),
        (["--bits", "5", "--runtime", "vlm"], "runtime 'vlm' is unknown; did you mean 'vllm'?"),
        (
            ["--bits", "5", "--runtime", "vllm", "--pairs", "wfp4_afp8"],
            "vllm cannot serve 'wfp4_afp8': mixed precision does not dispatch W4A8_NVFP4_FP8; it serves wfp8_afp8, "
            "wfp4_afp4, wfp4_afp16. The nearest: wfp4_afp4",
        ),
        (["--bits", "5", "--from", "nowhere"], "nowhere: no such folder"),
        (["--bits", "5", "--size", "smal"], "'qwen3_vl_tiny' at size smal; did you mean 'small'?"),
        (["--bits", "5", "--measure-on", "x.txt"], "nothing is measured without --verify"),
        (["--bits", "5", "--size", "large", "--pairs", "wfp8_afp8", "--verify"], "5 bits is below the least"),
        (["--bits", "9", "--size", "large", "--pairs", "wfp8_afp8", "--verify"], "none is left to measure on"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recipe(*arguments, "--output", str(tmp_path / "r")) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("qwen3_vl_tin", "no manifest of 'qwen3_vl_tin'; did you mean 'qwen3_vl_tiny'?"),
        ("gemma", "no manifest of 'gemma'; valid: qwen3_vl_tiny, smollm2_135m"),
    ],
)
def test_a_model_without_manifests_is_told_with_the_nearest_that_has_some(
    model: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recipe("--bits", "6", model=model) == 2
    assert capsys.readouterr().err == f"error: {MODELS}: has {message}\n"


def test_the_captions_that_decide_are_quoted_where_the_suite_has_them(tmp_path: Path) -> None:
    arguments = ("--bits", "6", "--size", "small", "--pairs", "wfp4_afp16,wfp8_afp16,wint8_afp16")
    assert recipe(*arguments, "--output", str(tmp_path / "r")) == 0
    document = json.loads((tmp_path / "r" / "recipe.json").read_text(encoding="utf-8"))
    deciding = {each["caption"] for group in document["open"] for each in group["deciding"]}
    captions = load_suite(SUITE).select("tiny and small")[0].captions.read(16)
    page = (tmp_path / "r" / "recipe.md").read_text(encoding="utf-8")
    assert deciding
    assert all(f'{number} "{str(captions[number - 1])[:40]}' in page for number in deciding)
    # Another suite's captions are not those that were scored.
    (tmp_path / "embedded_captions_small.txt").write_text("a cat sleeps\n" * 16, encoding="utf-8")
    assert recipe(*arguments, "--override", f"dataset.root={tmp_path}", "--output", str(tmp_path / "o")) == 0
    assert ' "' not in (tmp_path / "o" / "recipe.md").read_text(encoding="utf-8")


def test_verifying_measures_it_beside_what_else_one_could_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--pairs", "wfp4_afp16,wint8_afp16", "--device", "cpu", "--output", str(tmp_path / "r"))
    assert recipe("--bits", "6", "--verify", *arguments) == 0
    document = json.loads((tmp_path / "r" / "recipe.json").read_text(encoding="utf-8"))
    measured, predicted = document["measured"], document["predicted_kl"]
    assert measured["captions"]["samples"] == 128
    assert measured["kl"] == pytest.approx(predicted, rel=0.2)
    compared = {each["name"]: each for each in document["compared"]}
    assert set(compared) == {"mtq.auto_quantize's own choice", "wfp4_afp16", "wint8_afp16"}
    assert compared["wfp4_afp16"]["ratio_ci95"][0] > 1
    assert compared["mtq.auto_quantize's own choice"]["effective_bits"] <= 6
    page = (tmp_path / "r" / "recipe.md").read_text(encoding="utf-8")
    assert page.splitlines()[2].startswith("Measured KL ")
    assert "Measured KL" in capsys.readouterr().out


def test_captions_that_are_not_the_manifests_own_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    changes = ("--override", "dataset.size_to_max_samples={small: 16, medium: 64, large: 512}")
    assert recipe("--bits", "9", "--pairs", "wfp8_afp8", "--verify", *changes) == 2
    assert "not the captions that the manifest of 'wfp8_afp8' was calibrated on" in capsys.readouterr().err
