"""`run` as a user meets it: what it writes, what it says, how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.places import CUDA_ALONE, ROOT, SUITE

from auto_quantize_model import run as run_module
from auto_quantize_model.artifacts import manifest_name, render_reports
from auto_quantize_model.cli import main, run_command
from auto_quantize_model.manifest.document import check_manifest

SUITE_OPTION = ("--suite", str(SUITE))
THREE = "tiny and small and (wfp8_afp16 or wint8_aint8 or wmxfp4_afp8)"


def run(*arguments: str) -> int:
    return main(["run", *SUITE_OPTION, "--device", "cpu", *arguments])


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_lays_out_its_output_like_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("-k", THREE, "--output", str(tmp_path)) == 0
    home = "qwen3_vl_tiny/layer-analysis"
    folders = {
        f"{home}/weight-fp8-act-fp16/qwen3_vl_tiny_autoquant_wfp8_afp16_lm_small": "wfp8_afp16_autoquant_lm",
        f"{home}/weight-int8-act-int8/qwen3_vl_tiny_autoquant_wint8_aint8_lm_small": "int8_autoquant_lm_default",
        f"{home}/weight-mxfp4-act-fp8/qwen3_vl_tiny_autoquant_wmxfp4_afp8_lm_small": "wmxfp4_afp8_autoquant_lm",
    }
    assert set(files_in(tmp_path)) == {"config.yaml"} | {
        f"{folder}/{name}"
        for folder, scheme in folders.items()
        for name in (
            f"{scheme}_quant_manifest.json",
            f"{scheme}_probe_sums.safetensors",
            "per-layer-sensitivity.json",
            "per-layer-sensitivity.md",
            "per-layer-sensitivity.svg",
        )
    }
    printed = capsys.readouterr().out
    assert "qwen3_vl_tiny-wint8_aint8-small" in printed
    assert f"3 of 3 cases done; artifacts: {tmp_path}" in printed


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run of every pair's small case has written."""
    folder = tmp_path_factory.mktemp("artifacts")
    assert run("-k", "tiny and small", "--output", str(folder)) == 0
    return folder


def test_its_artifacts_keep_the_contract(artifacts: Path) -> None:
    manifests = list(artifacts.rglob("*_quant_manifest.json"))
    assert len(manifests) == 10
    for file in manifests:
        text = file.read_text(encoding="utf-8")
        manifest = json.loads(text)
        check_manifest(manifest)
        assert file.name == manifest_name(manifest)
        assert str(ROOT) not in text
        for name, report in render_reports(manifest).items():
            assert (file.parent / name).read_text(encoding="utf-8") == report
    config = yaml.safe_load((artifacts / "config.yaml").read_text(encoding="utf-8"))
    assert config["qwen3_vl_tiny-wfp8_afp8-small"]["autoquant"]["batch_size"] == 8


@pytest.mark.usefixtures("warm_python")
def test_two_runs_write_the_same_bytes(artifacts: Path, tmp_path: Path) -> None:
    """The other run is another process's, which hashes strings in another way."""
    command = [sys.executable, "-m", "auto_quantize_model", "run", *SUITE_OPTION, "--device", "cpu"]
    subprocess.run([*command, "-k", "tiny and small", "--output", tmp_path], check=True, capture_output=True)  # noqa: S603
    assert files_in(tmp_path) == files_in(artifacts)
    assert len(files_in(tmp_path)) == 10 * 5 + 1


def test_a_pair_that_cannot_run_fails_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite = tmp_path / "sensitivity_cases" / "suite.yaml"
    import shutil

    shutil.copytree(SUITE.parent, suite.parent)
    pair = suite.parent / "conf" / "quant_pair" / "wfp8_afp8.yaml"
    pair.write_text(f"weight: fp8\nactivation: fp8\nformat: {CUDA_ALONE}\n", encoding="utf-8")
    output = tmp_path / "output"
    status = main([
        *("run", "--suite", str(suite), "--models-root", str(ROOT / "models"), "--device", "cpu"),
        *("-k", "tiny and small and wfp8", "--output", str(output)),
    ])  # fmt: skip
    assert status == 1
    printed = capsys.readouterr().out
    assert "qwen3_vl_tiny-wfp8_afp8-small: format 'E5M2' cannot run on cpu: " in printed
    assert "1 of 2 cases done" in printed
    assert len(list(output.rglob("*_quant_manifest.json"))) == 1


def test_an_infeasible_budget_fails_the_case_and_keeps_its_scores(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("-k", "tiny and small and (wfp8_afp16 or wfp4_afp16)", "--override", "autoquant.effective_bits=6")
    assert run(*arguments, "--output", str(tmp_path), "--json", str(tmp_path / "summary.json")) == 1
    printed = capsys.readouterr().out
    assert "infeasible" in printed
    assert (
        "qwen3_vl_tiny-wfp8_afp16-small: no selection has 6 effective bits: with every group quantized there are 8, "
        "the least feasible; set autoquant.effective_bits to at least 8\n"
    ) in printed
    assert "1 of 2 cases done" in printed
    records = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))["cases"]
    assert [(each["pair"], each["outcome"]) for each in records] == [("wfp4_afp16", "passed"), ("wfp8_afp16", "failed")]
    assert "the least feasible" in records[1]["reason"]
    assert records[1]["total_score"] > 0
    assert len(list(tmp_path.rglob("*_quant_manifest.json"))) == 2
    (file,) = tmp_path.rglob("wfp8_afp16_autoquant_lm_quant_manifest.json")
    state = json.loads(file.read_text(encoding="utf-8"))["autoquant_state"]
    assert (state["is_satisfied"], state["status"], state["constraints"]) == (
        False,
        "infeasible",
        {"effective_bits": 8.0},
    )


def test_a_wider_budget_leaves_the_most_sensitive_groups_alone(tmp_path: Path) -> None:
    arguments = ("-k", "tiny and small and wfp4_afp16", "--override", "autoquant.effective_bits=8")
    assert run(*arguments, "--output", str(tmp_path)) == 0
    (file,) = tmp_path.rglob("*_quant_manifest.json")
    manifest = json.loads(file.read_text(encoding="utf-8"))
    kept = {name for name, layer in manifest["layers"].items() if not layer["quantized"]}
    assert manifest["autoquant_state"]["constraints"]["effective_bits"] <= 8.0
    assert manifest["num_quantized_layers"] == len(manifest["layers"]) - len(kept)
    worst = manifest["sensitivity_ranking"][-1]["name"].removesuffix(".quant_recipe")
    assert worst in kept


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-k", "tinny"), "matches none of the"),
        (("-k", "tiny and"), "expected a name"),
        (("-k", "tiny", "--device", "cuda:77"), "device 'cuda:77' does not exist"),
        (("-k", "tiny", "--device", "tpu"), "device 'tpu' is unknown"),
        (("-k", "tiny", "--override", "autoquant.batchsize=1"), "did you mean 'batch_size'?"),
        (("-k", "tiny", "--override", "dataset.captions_path=missing.txt"), "missing.txt"),
        (("-k", "tiny", "--override", "dataset.size_to_max_samples.large=600"), "the file has 512"),
        (("-k", "tiny", "--model-path", "qwen3_vl_tiny"), "write it as NAME=DIR"),
        (("-k", "tiny", "--model-path", "qwen3_vl_tny=x"), "did you mean 'qwen3_vl_tiny'?"),
        (("-k", "tiny", "--model-path", "qwen3_vl_tiny=/nowhere"), "/nowhere: no checkpoint folder"),
        (("-k", "tiny", "--models-root", "/nowhere"), "model 'qwen3_vl_tiny' is unknown"),
    ],
)
def test_wrong_input_is_one_line_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    output = tmp_path / "output"
    assert main(["run", *SUITE_OPTION, "--output", str(output), *arguments]) == 2
    captured = capsys.readouterr()
    lines = captured.err.strip().splitlines()
    assert lines[-1].startswith("error: ")
    assert message in lines[-1]
    assert "Traceback" not in captured.err
    assert not captured.out
    assert not output.exists()


def test_a_model_that_is_not_here_is_skipped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("-k", "qwen3 and wfp8_afp16 and small", "--output", str(tmp_path)) == 0
    printed = capsys.readouterr().out
    assert "qwen3_vl_4b_instruct skipped: " in printed
    assert "hf download Qwen/Qwen3-VL-4B-Instruct --local-dir " in printed
    assert "1 of 2 cases done" in printed


def test_if_nothing_can_run_here_that_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("-k", "4b", "--output", str(tmp_path / "output")) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: none of the selected cases can run here: qwen3_vl_4b_instruct: ")
    assert not (tmp_path / "output").exists()


def test_captions_that_cannot_be_used_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, content in {"empty": b"\n\n", "latin": b"A caf\xe9 table.\n" * 600}.items():
        (tmp_path / f"{name}.txt").write_bytes(content)
        overrides = ("--override", f"dataset.root={tmp_path}", "--override", f"dataset.captions_path={name}.txt")
        assert run("-k", "tiny", *overrides, "--output", str(tmp_path / "output")) == 2
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert error.startswith("error: ")
        assert f"{name}.txt" in error
    assert not (tmp_path / "output").exists()


def test_an_output_that_is_a_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "file"
    file.write_text("mine", encoding="utf-8")
    assert run("-k", "tiny and small and wfp8_afp16", "--output", str(file)) == 2
    assert "error: " in capsys.readouterr().err
    assert file.read_text(encoding="utf-8") == "mine"


@pytest.mark.usefixtures("warm_python")
def test_ctrl_c_ends_quietly(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "auto_quantize_model", "run", *SUITE_OPTION, "--device", "cpu"]
    command += ["--engine", "modelopt", "-k", "tiny and small", "--output", str(tmp_path / "output")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
        deadline = time.monotonic() + 120
        while not list(tmp_path.rglob("*_quant_manifest.json")) and time.monotonic() < deadline:
            if process.poll() is not None:
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert "interrupted" in error
    assert "Traceback" not in error
    for manifest in tmp_path.rglob("*_quant_manifest.json"):
        check_manifest(json.loads(manifest.read_text(encoding="utf-8")))


def test_a_run_that_was_interrupted_goes_on_and_leaves_nothing(
    artifacts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    places = ["--capture-dir", str(tmp_path / "captures"), "--output", str(tmp_path / "out")]
    with monkeypatch.context() as patch:
        patch.setattr(run_command, "write_case", interrupted)
        assert run("-k", THREE, *places) == 130
        assert run("-k", THREE, "--fresh", *places) == 130
    assert "goes on" not in capsys.readouterr().err
    assert main(["captures", *places[:2]]) == 0
    assert "interrupted" in capsys.readouterr().out
    assert run("-k", THREE, *places) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "goes on: 32 of 32 groups and 0 of 2 batches were there from an interrupted run" in said
    written, undisturbed = files_in(tmp_path / "out"), files_in(artifacts)
    del written["config.yaml"]
    assert len(written) > 3
    assert written == {name: undisturbed[name] for name in written}
    # Older versions of filelock remove a lock's file.
    assert {file.name for file in (tmp_path / "captures").iterdir()} <= {"interrupted.lock"}


class TestSummary:
    """`--json FILE`: the same document as pytest's `--sensitivity-json`."""

    def test_it_has_one_record_a_case(self, tmp_path: Path) -> None:
        suite = tmp_path / "suite.yaml"
        suite.write_text("models: [qwen3_vl_tiny]\n", encoding="utf-8")
        pair = tmp_path / "conf" / "quant_pair" / "wfp8_afp8.yaml"
        pair.parent.mkdir(parents=True)
        pair.write_text(f"weight: fp8\nactivation: fp8\nformat: {CUDA_ALONE}\n", encoding="utf-8")
        arguments = ["--suite", str(suite), "--models-root", str(ROOT / "models"), "--device", "cpu"]
        arguments += ["--output", str(tmp_path / "out"), "--json", str(tmp_path / "deep" / "summary.json")]
        assert main(["run", *arguments, "-k", "tiny and small and wfp8"]) == 1
        summary = json.loads((tmp_path / "deep" / "summary.json").read_text(encoding="utf-8"))
        assert (summary["summary_version"], summary["totals"]) == (1, {"failed": 1, "passed": 1})
        assert summary["output"] == str(tmp_path / "out")
        failed, passed = summary["cases"]
        assert (failed["case"], failed["outcome"], failed["verdict"]) == (
            "qwen3_vl_tiny-wfp8_afp8-small",
            "failed",
            "failed",
        )
        assert "format 'E5M2' cannot run on cpu" in failed["reason"]
        assert (passed["outcome"], passed["verdict"], passed["reason"]) == ("passed", "not compared", None)
        assert passed["suite"] == str(suite)
        (manifest,) = Path(passed["artifacts"]).glob("*_quant_manifest.json")
        state = json.loads(manifest.read_text(encoding="utf-8"))["autoquant_state"]
        assert passed["total_score"] == state["score"]
        assert passed["most_sensitive_group"].startswith("model.language_model.layers.")

    def test_it_is_a_page_too(self, tmp_path: Path) -> None:
        page = tmp_path / "page.html"
        assert run("-k", "4b and small and wfp8_afp8", "--html", str(page)) == 2
        assert not page.exists()
        assert run("-k", "tiny and small and wfp8_afp8", "--html", str(page), "--output", str(tmp_path / "out")) == 0
        data = json.loads(page.read_text(encoding="utf-8").partition('id="data">')[2].partition("</script>")[0])
        assert [source["name"] for source in data["sources"]] == ["baselines", "this run"]

    def test_a_skipped_case_has_the_same_keys(self, tmp_path: Path) -> None:
        assert run("-k", "4b and small and wfp8_afp8", "--json", str(tmp_path / "summary.json")) == 2
        (record,) = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))["cases"]
        assert " ".join(record) == (
            "case model pair size suite verdict outcome captions reason total_score total_predicted_kl measured_kl "
            "most_sensitive_group coverage bits costliest total_ratio worst_group worst_ratio published artifacts "
            "seconds pass_seconds pass_shared worker tests"
        )
        assert (record["outcome"], record["verdict"]) == ("skipped", "skipped")
        assert "hf download" in record["reason"]

    def test_an_interrupted_run_has_one_too(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupted(*_: Any, **__: Any) -> Any:
            raise KeyboardInterrupt

        monkeypatch.setattr(run_module, "run_cases", interrupted)
        assert run("-k", "tiny and small and wfp8_afp8", "--json", str(tmp_path / "summary.json")) == 130
        (record,) = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))["cases"]
        assert (record["outcome"], record["verdict"]) == ("not run", "not run")

    @pytest.mark.parametrize(
        ("option", "place", "message"),
        [
            ("--json", "folder", "folder: is a folder; name a file"),
            ("--json", "file/summary.json", "file: is a file, so nothing can be written into it; name another place"),
            ("--output", "file", "file: is a file, so nothing can be written into it; name another place"),
            ("--output", "file/deep/out", "file: is a file, so nothing can be written into it; name another place"),
        ],
    )
    def test_a_place_that_cannot_be_written_is_refused_before_anything_runs(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        option: str,
        place: str,
        message: str,
    ) -> None:
        def reached(*_: Any, **__: Any) -> Any:
            raise AssertionError

        monkeypatch.setattr(run_module, "run_cases", reached)
        (tmp_path / "folder").mkdir()
        (tmp_path / "file").write_text("mine", encoding="utf-8")
        assert run("-k", "tiny", option, str(tmp_path / place)) == 2
        assert capsys.readouterr().err.endswith(f"/{message}\n")
        assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"
