"""`explain` as a user meets it: what it says, how it ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.explain.planted import BATCH, CONFIG, run_with
from tests.places import SUITE

from auto_quantize_model import run as run_module
from auto_quantize_model.cli import main
from auto_quantize_model.manifest.document import dumps

if TYPE_CHECKING:
    from pathlib import Path

CASE = "qwen3_vl_tiny-wfp8_afp8-small"


def explain(*arguments: str) -> int:
    return main(["explain", CASE, "--suite", str(SUITE), "--device", "cpu", *arguments])


def written(folder: Path, manifest: dict[str, Any]) -> str:
    file = folder / "older.json"
    file.write_text(dumps(manifest), encoding="utf-8")
    return str(file)


def test_the_committed_baseline_is_explained_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain() == 0
    printed = capsys.readouterr().out
    assert "no drift" in printed or "explained: " in printed


def test_a_table_names_the_causes_and_their_interaction(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain("--baseline", written(tmp_path, run_with(CONFIG, BATCH))) == 0
    printed = capsys.readouterr().out
    for text in ("pair config x batch size", "INT8_DEFAULT_CFG", "unexplained", "Share of the drift", "100.0 %"):
        assert text in printed
    assert "explained: pair config " in printed
    assert "misses the baseline by 0.0 % of the drift" in printed
    assert "A cause's effect is the score now minus" in printed


def test_json_holds_every_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain("--baseline", written(tmp_path, run_with(BATCH)), "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["case"], found["outcome"]) == (CASE, "explained")
    (cause,) = found["causes"]
    assert (cause["cause"], cause["old"], cause["new"]) == ("batch size", "4", "8")
    assert cause["share"] == pytest.approx(1)
    assert cause["total"] == pytest.approx(found["total"]["new"] - found["total"]["old"])
    assert len(cause["groups"]) == 32
    assert (found["interactions"], found["untested"]) == ([], [])
    assert found["unexplained"]["share"] == pytest.approx(0, abs=1e-6)


def test_a_residual_is_exit_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    baseline = run_with()
    for entry in baseline["layer_sensitivity"].values():
        if entry["importance"] is not None:
            entry["importance"] *= 1.05
    baseline["environment"]["torch"] = "2.0.0"
    assert explain("--baseline", written(tmp_path, baseline)) == 1
    printed = capsys.readouterr().out
    assert "not explained: nothing that the baseline states and a rerun can test differs" in printed
    assert "not tested, may be the cause: torch, 2.0.0 -> " in printed


def test_versions_without_a_drift_are_exit_status_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    baseline = run_with()
    baseline["environment"]["torch"] = "2.0.0"
    assert explain("--baseline", written(tmp_path, baseline)) == 0
    assert "no drift: every group's score is within its tolerance" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("explain", "qwen3_vl_tiny-wfp8_afp8-smal"), "did you mean 'qwen3_vl_tiny-wfp8_afp8-small'?"),
        (("explain", CASE, "--baseline", "nowhere.json"), "nowhere.json: no such file"),
        (("explain", CASE, "--captions", "nowhere.txt"), "nowhere.txt: no such file"),
        (("explain", CASE, "--device", "tpu"), "device 'tpu' is unknown"),
        (("explain", CASE, "--device", "cuda:77"), "device 'cuda:77' does not exist"),
        (("explain", CASE, "--model-path", "qwen3_vl_tny=x"), "did you mean 'qwen3_vl_tiny'?"),
        (("explain", CASE, "--override", "autoquant.batchsize=1"), "did you mean 'batch_size'?"),
        (("explain", "qwen3_vl_4b_instruct-wfp8_afp8-small"), "no baseline is committed for the case"),
    ],
)
def test_wrong_input_is_one_line(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str) -> None:
    assert main([*arguments, "--suite", str(SUITE)]) == 2
    captured = capsys.readouterr()
    assert captured.err.strip().splitlines()[-1].startswith("error: ")
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert not captured.out


def test_captions_that_are_not_the_baselines_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    baseline = run_with()
    baseline["calibration"]["captions_sha256"] = "0" * 64
    text = tmp_path / "mine.txt"
    text.write_text("A cat.\n" * 20, encoding="utf-8")
    assert explain("--baseline", written(tmp_path, baseline), "--captions", str(text)) == 2
    assert "mine.txt: its first 16 captions are not those of the baseline" in capsys.readouterr().err


def test_a_manifest_of_another_model_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    baseline = run_with()
    baseline["case"]["model"] = "other"
    assert explain("--baseline", written(tmp_path, baseline)) == 2
    assert "older.json: is of model 'other', not of 'qwen3_vl_tiny'" in capsys.readouterr().err


def test_ctrl_c_ends_quietly(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(run_module, "run_cases", interrupted)
    assert explain() == 130
    assert capsys.readouterr().err.endswith("interrupted\n")
