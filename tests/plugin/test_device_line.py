"""A session that runs cases says at its head, once, on what it does; others say nothing. No engine runs here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.plugin.projects import Project, lines_with

from auto_quantize_model.plugin.device_line import sees_gpu

if TYPE_CHECKING:
    from pathlib import Path

START = "sensitivity: "
ON_CPU = "sensitivity: no CUDA GPU is visible; cases run on the CPU, where their model allows it"
ON_DATA = (
    "sensitivity: calibrates on embedded_captions (16 captions in the package's embedded_captions_small.txt); "
    "suite.yaml names no dataset"
)
NO_ENGINE = """
def test_case(sensitivity_case):
    assert sensitivity_case.case.id

def test_other():
    pass
"""


@pytest.fixture
def bare(pytester: pytest.Pytester, as_at_home: None, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose tests run no case."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    project = Project(pytester)
    project.write_suite()
    project.write_model("one")
    project.write_tests(NO_ENGINE)
    return project


def test_it_is_said_once_and_before_the_tests(bare: Project) -> None:
    result = bare.pytester.runpytest_inprocess("-m", "gpu")
    assert lines_with(result, START) == [ON_CPU, ON_DATA]
    first = next(number for number, line in enumerate(result.outlines) if "test_mine.py" in line)
    assert result.outlines.index(ON_CPU) < first


def test_workers_say_it_once_for_all(bare: Project) -> None:
    assert lines_with(bare.run_apart("-n", "2", "--dist", "loadgroup"), START) == [ON_CPU, ON_DATA]
    assert not lines_with(bare.run_apart("-n", "2", "-m", "not gpu"), START)


@pytest.mark.parametrize(
    "selected",
    [("-m", "not gpu"), ("--collect-only",), ("-q", "-m", "gpu"), ("--sensitivity-report-only",)],
    ids=["no case", "collected", "quiet", "reports"],
)
def test_where_no_case_runs_nothing_is_said(bare: Project, selected: tuple[str, ...]) -> None:
    assert not lines_with(bare.pytester.runpytest_inprocess(*selected), START)


@pytest.mark.parametrize(
    ("options", "who"),
    [
        (("--sensitivity-device", "cpu"), "--sensitivity-device"),
        (("--sensitivity-override", "autoquant.device=cpu"), "autoquant.device"),
    ],
)
def test_a_device_that_was_asked_for_is_named_with_who_asked(bare: Project, options: tuple[str, str], who: str) -> None:
    result = bare.pytester.runpytest_inprocess(*options)
    assert lines_with(result, START) == [f"sensitivity: cases run on cpu ({who})", ON_DATA]


def test_a_suite_that_names_its_data_need_not_be_told(bare: Project) -> None:
    bare.write_suite(dataset="embedded_captions")
    assert lines_with(bare.pytester.runpytest_inprocess("-m", "gpu"), START) == [ON_CPU]


def test_nor_need_one_whose_models_name_theirs(bare: Project) -> None:
    bare.write_model("one", dataset="embedded_captions")
    assert lines_with(bare.pytester.runpytest_inprocess("-m", "gpu"), START) == [ON_CPU]


def test_data_that_lies_with_the_suite_are_named_with_their_place(bare: Project) -> None:
    bare.write_file("conf/dataset/embedded_captions.yaml", "captions_path: mine.txt\nsize_to_max_samples: {small: 3}\n")
    bare.write_file("data/mine.txt", "one\ntwo\nthree\n")
    (_, line) = lines_with(bare.pytester.runpytest_inprocess("-m", "gpu"), START)
    assert line.startswith("sensitivity: calibrates on embedded_captions (3 captions in data/mine.txt); ")


@pytest.mark.parametrize(
    ("visible", "files", "seen"),
    [
        (None, ["nvidia0"], True),
        (None, ["nvidiactl", "nvidia-uvm"], False),
        (None, ["dxg"], True),
        (None, [], False),
        ("0", ["nvidia0"], True),
        ("", ["nvidia0"], False),
        ("-1", ["nvidia0"], False),
    ],
)
def test_a_gpu_is_seen_without_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, visible: str | None, files: list[str], seen: bool
) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda _: "2.13.0+cu130")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    for name in files:
        (tmp_path / name).touch()
    assert sees_gpu(tmp_path) is seen
    monkeypatch.setattr("importlib.metadata.version", lambda _: "2.13.0+cpu")
    assert not sees_gpu(tmp_path)


def test_a_cluster_is_named(bare: Project) -> None:
    result = bare.run("--sensitivity-cluster", "auto")
    assert lines_with(result, "cases run on the hosts of the cluster (--sensitivity-cluster auto)")
