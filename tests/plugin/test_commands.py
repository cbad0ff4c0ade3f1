"""The commands that failing tests name: each is one that its program takes, wherever the suite and its models are."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.places import ROOT, SUITE

from auto_quantize_model import cli, load_suite
from auto_quantize_model.measuring import MeasureSettings, Scope
from auto_quantize_model.plugin.commands import Commands
from auto_quantize_model.plugin.options import Options
from auto_quantize_model.plugin.suites import SuiteCase

if TYPE_CHECKING:
    import argparse

    import pytest

CASE = "qwen3_vl_tiny-wfp8_afp16-small"


def commands(**values: Any) -> Commands:
    suite = load_suite(SUITE)
    (case,) = (each for each in suite.cases if each.id == CASE)
    nothing: dict[str, Any] = {
        "publish": False,
        "report_only": False,
        "device": None,
        "engine": "replay",
        "model_paths": {},
        "models_root": None,
        "overrides": (),
        "output": None,
        "json": None,
        "html": None,
        "verbose": False,
        "keep_capture": False,
        "fresh": False,
        "capture_dir": None,
        "capture_memory": None,
        "measure": MeasureSettings(),
        "cluster": None,
        "cluster_gpus": 1,
    }
    return Commands(SuiteCase(suite, case), Options(**{**nothing, **values}))


def explained(command: str, monkeypatch: pytest.MonkeyPatch) -> argparse.Namespace:
    """What `explain` is asked for by a command."""
    words = shlex.split(command)
    assert words[:4] == ["python", "-m", "auto_quantize_model", "explain"]
    asked: list[argparse.Namespace] = []

    def run(arguments: argparse.Namespace) -> int:
        asked.append(arguments)
        return 0

    monkeypatch.setattr("auto_quantize_model.cli.explain_command.run", run)
    assert cli.main(words[3:]) == 0
    return asked[0]


def test_the_defaults_are_not_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    case = commands()
    assert case.publish() == f"pytest -m gpu sensitivity_cases -k {CASE} --publish"
    assert case.publish_reports() == f"pytest -m gpu sensitivity_cases -k {CASE} --sensitivity-report-only --publish"
    assert case.update_snapshots() == 'pytest -m "not gpu" sensitivity_cases --snapshot-update'
    assert case.explain() == f"python -m auto_quantize_model explain {CASE}"


def test_what_was_measured_is_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    plain = f"pytest -m gpu sensitivity_cases -k {CASE} --publish"
    measuring = f"pytest -m gpu sensitivity_cases -k {CASE} --sensitivity-measure"
    assert commands().publish({"measured": None}) == plain
    assert commands().publish({"measured": {"kl": 0.5}}) == f"{measuring} cases --publish"
    case = commands(measure=MeasureSettings(Scope("top", 3)))
    assert case.publish() == case.publish({"measured": {}}) == f"{measuring} top:3 --publish"


def test_places_that_were_given_are_given_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    case = commands(models_root=ROOT / "a models", model_paths={"qwen3_vl_tiny": ROOT / "x", "other": ROOT})
    places = "--sensitivity-models-root 'a models' --sensitivity-model-path qwen3_vl_tiny=x"
    assert case.publish() == f"pytest -m gpu sensitivity_cases -k {CASE} {places} --publish"
    asked = explained(case.explain(), monkeypatch)
    assert asked.models_root == Path("a models")
    assert asked.model_path == [("qwen3_vl_tiny", Path("x"))]


def test_explain_reruns_what_the_session_ran(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    case = commands(device="cuda:1", engine="modelopt", overrides=("autoquant.batch_size=4", "dataset.seq_len=8"))
    asked = explained(case.explain(), monkeypatch)
    assert (asked.case, asked.suite) == (CASE, SUITE)
    assert (asked.device, asked.engine) == ("cuda:1", "modelopt")
    assert asked.override == ["autoquant.batch_size=4", "dataset.seq_len=8"]
