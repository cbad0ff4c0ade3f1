"""The plugin under pytest-xdist, in processes of its own: the same results, and one pass a model if asked."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from tests.places import TINY
from tests.plugin.projects import lines_with, scaled

from auto_quantize_model.measuring import MeasureSettings
from auto_quantize_model.plugin.loadgroup import without_group
from auto_quantize_model.plugin.passes import Passes
from auto_quantize_model.plugin.worker import Worker, take_gpu
from auto_quantize_model.reporting import silent

if TYPE_CHECKING:
    from tests.plugin.projects import Project

    from auto_quantize_model.engine.capture.settings import CaptureSettings

pytestmark = pytest.mark.usefixtures("warm_python")

MODES = {"plain": (), "load": ("-n", "2"), "loadgroup": ("-n", "2", "--dist", "loadgroup")}
CASES = [f"{model}-{pair}-small" for model in ("one", "two") for pair in ("wfp8_afp16", "wint8_aint8")]


def summary_of(project: Project) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((project.root / "summary.json").read_text(encoding="utf-8"))
    return {record["case"]: record for record in found["cases"]}


def junit_properties(project: Project) -> dict[str, dict[str, str]]:
    """What pytest's JUnit file says of each case; the record itself, which is JSON, is there too."""
    tree = ET.parse(project.root / "junit.xml")  # noqa: S314  what the session wrote
    found = {}
    for test in tree.iter("testcase"):
        shown = {str(each.get("name")): str(each.get("value")) for each in test.iter("property")}
        case = str(test.get("name")).partition("[")[2].partition("]")[0]
        found[case] = {name: value for name, value in shown.items() if name.startswith("sensitivity_")}
    assert set(found) == set(CASES)
    return found


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_publishes_compares_and_tells_the_same(project: Project, mode: str) -> None:
    project.write_suite(models=["one", "two"])
    assert project.run("--publish").ret == 0
    expected, artifacts = project.files(), project.files("out")
    project.edit_manifest(CASES[1], scaled(2, 1.05))

    result = project.run_apart(*MODES[mode], "--sensitivity-json", "summary.json", "--junit-xml", "junit.xml")

    result.assert_outcomes(passed=3, failed=1)
    assert project.files("out") == artifacts
    records = summary_of(project)
    assert {case: records[case]["verdict"] for case in CASES} == dict.fromkeys(CASES, "identical") | {CASES[1]: "drift"}
    assert records[CASES[1]]["outcome"] == "failed"
    assert "x0.952" in result.stdout.str()
    for case, shown in junit_properties(project).items():
        kl, costliest = records[case]["total_predicted_kl"], records[case]["costliest"][0]
        assert shown == {
            "sensitivity_verdict": records[case]["verdict"],
            "sensitivity_kl": str(kl),
            "sensitivity_costliest": costliest,
        } | ({"sensitivity_moved_most": records[case]["worst_group"]} if case == CASES[1] else {})
    if mode == "loadgroup":
        result = project.run_apart(*MODES[mode], "--publish")
        result.assert_outcomes(passed=4)
        assert lines_with(result, "published: ")
        assert project.files() == expected


def test_the_cases_of_a_model_stay_on_one_worker(project: Project) -> None:
    project.write_suite(models=["one", "two"])
    result = project.run_apart(*MODES["loadgroup"], "--publish", "--sensitivity-json", "summary.json")
    records = summary_of(project)
    workers = [{each["worker"] for each in records.values() if each["model"] == model} for model in ("one", "two")]
    assert [len(each) for each in workers] == [1, 1]
    assert workers[0] != workers[1]
    assert not lines_with(result, "shared by")
    assert sum(record["pass_seconds"] is not None for record in records.values()) == 2
    assert lines_with(result, "one: one pass for 2 cases")


def test_the_workers_that_have_one_model_share_its_pass(project: Project) -> None:
    assert project.run("--publish").ret == 0
    artifacts = project.files("out")
    result = project.run_apart(*MODES["loadgroup"], "--sensitivity-json", "summary.json")
    result.assert_outcomes(passed=2)
    assert {record["worker"] for record in summary_of(project).values()} == {"gw0", "gw1"}
    assert lines_with(result, "one: one pass, shared by 2 workers")
    assert project.files("out") == artifacts, "the same bytes, and nothing shared is left behind"


def test_the_workers_measure_each_case_once_between_them(project: Project) -> None:
    project.write_suite(pairs=["wfp8_afp16", "wint8_aint8", "wfp4_afp16"])
    assert project.run("--publish", "--sensitivity-measure", "top:2").ret == 0
    result = project.run_apart(*MODES["loadgroup"], "--sensitivity-measure", "top:2")
    result.assert_outcomes(passed=3)
    for case in ("one-wfp8_afp16-small", "one-wint8_aint8-small", "one-wfp4_afp16-small"):
        expected = json.loads(project.manifest_file(case).read_text(encoding="utf-8"))
        (file,) = project.root.glob(f"out/one/**/*{case.split('-')[1]}_lm_small/*manifest.json")
        found = json.loads(file.read_text(encoding="utf-8"))
        assert found["measured"]["kl"] == pytest.approx(expected["measured"]["kl"], rel=1e-2)
        for name, entry in expected["layer_sensitivity"].items():
            measured = found["layer_sensitivity"][name]["measured_kl"]
            assert measured == (None if entry["measured_kl"] is None else pytest.approx(entry["measured_kl"], rel=1e-2))
        assert any(entry["measured_kl"] is not None for entry in found["layer_sensitivity"].values())


def test_a_loop_that_two_workers_repeat_is_told(project: Project) -> None:
    result = project.run_apart("-n", "2", "--sensitivity-engine", "modelopt")
    assert lines_with(result, "2 workers each ran the pass")
    assert lines_with(result, "--dist loadgroup keeps a model's cases on one worker")


def test_a_wrong_model_path_is_one_line_here_too(project: Project) -> None:
    result = project.run_apart("-n", "2", "--sensitivity-model-path", "oen=x")
    assert result.ret != 0
    assert lines_with(result, "did you mean 'one'?")
    assert not lines_with(result, "INTERNALERROR")


def test_last_failed_finds_what_failed_in_a_group(project: Project) -> None:
    project.write_suite(models=["Qwen3-0.6B"])
    project.write_model("Qwen3-0.6B", path="checkpoint")
    here = ("--sensitivity-model-path", f"Qwen3-0.6B={TINY / 'checkpoint'}")
    assert project.run("--publish", "-k", "Qwen3-0.6B", *here).ret == 0
    assert (project.root / "models" / "Qwen3-0.6B" / "layer-analysis" / "README.md").is_file()
    project.edit_manifest("Qwen3-0.6B-wint8_aint8-small", scaled(2, 1.05))
    result = project.run_apart(*MODES["loadgroup"], *here)
    result.assert_outcomes(passed=1, failed=1)
    assert not lines_with(result, "@Qwen3")
    result = project.run("--lf", *here)
    result.assert_outcomes(failed=1)
    assert lines_with(result, "one pass for") == ["Qwen3-0.6B: one pass for 1 case"]


@pytest.mark.parametrize("model", ["one", "Qwen3-0.6B", "Qwen3-0.6B-1", "a.b_c-"])
@pytest.mark.parametrize("share", ["", "-0", "-13"])
@pytest.mark.parametrize("before", ["", "left-right-"])
def test_a_name_is_known_without_its_group(model: str, share: str, before: str) -> None:
    name = f"test_mine.py::test_sensitivity[{before}{model}-wfp8_afp16-small]"
    assert without_group(f"{name}@{model}{share}") == name
    assert without_group(name) == name
    assert without_group(f"{name}@another") == f"{name}@another"


@pytest.mark.parametrize("body", ["raise ValueError", "os._exit(1)"], ids=["fails", "dies"])
def test_no_name_of_a_failure_has_a_group(project: Project, body: str) -> None:
    project.write_tests(
        f"""
        import os

        def test_sensitivity(sensitivity_case):
            if sensitivity_case.case.pair.name == "wint8_aint8":
                {body}
        """
    )
    once = (*MODES["loadgroup"], "--max-worker-restart", "0")
    result = project.run_apart(*once)
    assert lines_with(result, "test_mine.py::test_sensitivity[one-wint8_aint8-small]")
    assert not lines_with(result, "@one")
    # The file by its name: its tests are then collected all, and deselected by their names.
    result = project.run_apart(*once, "--lf", "test_mine.py")
    result.assert_outcomes(failed=1)


def case_on(device: str, name: str) -> SimpleNamespace:
    settings = {"model": SimpleNamespace(name=name), "autoquant": SimpleNamespace(device=device)}
    return SimpleNamespace(group=name, case=SimpleNamespace(id=name, **settings))


class TestGpus:
    @pytest.mark.parametrize(("worker", "gpu"), [("gw0", "4"), ("gw1", "6"), ("gw2", "4")])
    def test_workers_take_turns_among_the_visible(self, monkeypatch: pytest.MonkeyPatch, worker: str, gpu: str) -> None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4, 6")
        take_gpu(worker)
        import os

        assert os.environ["CUDA_VISIBLE_DEVICES"] == gpu

    @pytest.mark.parametrize(("visible", "worker"), [("4,6", "other"), ("", "gw1"), ("3", "gw1")])
    def test_where_there_is_no_choice_nothing_changes(
        self, monkeypatch: pytest.MonkeyPatch, visible: str, worker: str
    ) -> None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        take_gpu(worker)
        import os

        assert os.environ["CUDA_VISIBLE_DEVICES"] == visible

    def test_every_pass_of_a_worker_knows_who_shares_its_gpu(self, monkeypatch: pytest.MonkeyPatch) -> None:
        sharing: list[int] = []

        def run_cases(cases: list[Any], captures: CaptureSettings, **_: Any) -> Any:
            sharing.append(captures.processes_a_device)
            return iter([SimpleNamespace(case=case) for case in cases])

        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
        monkeypatch.setattr("auto_quantize_model.run.run_cases", run_cases)
        options = SimpleNamespace(
            engine="replay",
            device=None,
            model_paths={},
            keep_capture=False,
            fresh=False,
            cluster=None,
            cluster_gpus=1,
            capture_dir=None,
            capture_memory=None,
            measure=MeasureSettings(),
        )
        announcer = SimpleNamespace(announce=lambda *_: silent, say=silent)
        passes = Passes(options, Worker("gw1", 4, Path("shared"), Path("out")), announcer, "run")  # type: ignore[arg-type]
        cases: list[Any] = [case_on(device, str(number)) for number, device in enumerate(("auto", "auto", "cuda:0"))]
        passes.plan(cases)
        for each in cases:
            passes.result(each)
        assert sharing == [2, 2, 4]

    def test_without_the_variable_the_driver_is_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import os

        import torch

        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
        take_gpu("gw6")
        assert os.environ.pop("CUDA_VISIBLE_DEVICES") == "2"
