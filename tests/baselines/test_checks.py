from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from tests.manifests import build

from auto_quantize_model.artifacts import STAGING, render_reports
from auto_quantize_model.baselines import checks
from auto_quantize_model.baselines.checks import (
    absolute_paths,
    artifact_files,
    missing_baselines,
    stale_reports,
    stray_baselines,
    stray_recipes,
    unknown_files,
)
from auto_quantize_model.baselines.index import write_index
from auto_quantize_model.baselines.publish import publish_case
from auto_quantize_model.baselines.store import Baselines, baseline_folder, baseline_manifest
from auto_quantize_model.manifest.document import dumps

if TYPE_CHECKING:
    from pathlib import Path

    from auto_quantize_model import Case, Suite

MODEL = "qwen3_vl_tiny"


@pytest.fixture
def folder(case: Case, manifest: dict[str, Any]) -> Path:
    publish_case(case, manifest, None)
    return baseline_folder(case)


def test_whole_baselines_and_absent_ones_are_not_stale(tiny_suite: Suite, folder: Path) -> None:
    assert folder.is_dir()
    assert not [problem for each in tiny_suite.cases for problem in stale_reports(each, Baselines())]


def test_a_missing_report_is_named(case: Case, folder: Path) -> None:
    (folder / "per-layer-sensitivity.json").unlink()
    assert list(stale_reports(case, Baselines())) == [f"{folder / 'per-layer-sensitivity.json'}: missing"]


def test_the_first_line_that_differs_is_shown(case: Case, folder: Path) -> None:
    report = folder / "per-layer-sensitivity.md"
    lines = report.read_text(encoding="utf-8").split("\n")
    lines[20] = lines[20] + "and more"
    report.write_text("\n".join(lines), encoding="utf-8")
    (problem,) = stale_reports(case, Baselines())
    assert f"{report}: line 21 is " in problem
    assert "and more'" in problem
    assert len(problem) < len(str(report)) + 320


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        ("a short line", "a short one", "line 1 is 'a short line', generated 'a short one'"),
        (
            "x" * 50 + "A" + "y" * 50,
            "x" * 50 + "B" + "z" * 9,
            f"line 1 is ...'{'x' * 20}A{'y' * 39}'..., generated ...'{'x' * 20}B{'z' * 9}'",
        ),
        ("x" * 20 + "A", "x" * 20 + "B", f"line 1 is '{'x' * 20}A', generated '{'x' * 20}B'"),
        ("x" * 21 + "A", "x" * 21 + "B", f"line 1 is ...'{'x' * 20}A', generated ...'{'x' * 20}B'"),
        ("z" * 60, "y", f"line 1 is '{'z' * 60}', generated 'y'"),
        ("z" * 61, "y", f"line 1 is '{'z' * 60}'..., generated 'y'"),
        ("same\nmore", "same", "line 2 is 'more', generated (no line)"),
    ],
)
def test_lines_are_cut_to_where_they_begin_to_differ(
    case: Case, folder: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, shown: str
) -> None:
    report = folder / "per-layer-sensitivity.md"
    report.write_text(old, encoding="utf-8")
    monkeypatch.setattr(checks, "render_reports", lambda *_, **__: {report.name: new})
    (problem,) = stale_reports(case, Baselines())
    assert problem.startswith(f"{report}: {shown}")


@pytest.mark.parametrize("edit", [lambda b: b.replace(b"\n", b"\r\n"), lambda b: b[:-1], lambda b: b + b"\n"])
def test_every_byte_counts(case: Case, folder: Path, edit: Any) -> None:
    report = folder / "per-layer-sensitivity.md"
    report.write_bytes(edit(report.read_bytes()))
    (problem,) = stale_reports(case, Baselines())
    assert "line " in problem


def test_a_manifest_that_was_edited_makes_its_reports_stale(case: Case, folder: Path) -> None:
    file = baseline_manifest(case)
    file.write_text(file.read_text(encoding="utf-8").replace('"optimal"', '"infeasible"'), encoding="utf-8")
    (problem,) = stale_reports(case, Baselines())
    assert problem.startswith(f"{folder / 'per-layer-sensitivity.json'}: line ")


def test_a_broken_manifest_is_one_problem(case: Case, folder: Path) -> None:
    baseline_manifest(case).unlink()
    (problem,) = stale_reports(case, Baselines())
    assert problem.startswith(f"{baseline_manifest(case)}: missing")
    assert folder.is_dir()


def test_cases_without_baseline_are_named_where_the_model_is_here(tiny_suite: Suite, folder: Path, case: Case) -> None:
    problems = list(missing_baselines(tiny_suite))
    assert len(problems) == len(tiny_suite.cases) - 1
    assert not any(problem.startswith(f"{folder}:") for problem in problems)
    other = next(each for each in tiny_suite.cases if each.id != case.id)
    assert problems[0] == (
        f"{baseline_folder(other)}: no baseline; create it: pytest -m gpu sensitivity_cases -k {other.id} --publish"
    )
    case.checkpoint.rmdir()
    assert not list(missing_baselines(tiny_suite))


def test_a_baseline_that_an_interrupted_publish_has_left_elsewhere_is_named(
    tiny_suite: Suite, folder: Path, case: Case
) -> None:
    parked = folder.parents[1] / STAGING / "tmpx" / "old" / folder.parent.name / folder.name
    parked.parent.mkdir(parents=True)
    folder.rename(parked)
    (problem,) = [line for line in missing_baselines(tiny_suite) if line.startswith(f"{folder}: ")]
    assert problem == (
        f"{folder}: an interrupted publish left it in {parked}; put it back: "
        f"pytest -m gpu sensitivity_cases -k {case.id} --sensitivity-report-only --publish"
    )
    assert not list(stale_reports(case, Baselines()))
    assert parked.is_dir()


def test_baselines_that_no_case_has_are_named(tiny_suite: Suite, models: Path, folder: Path) -> None:
    assert not list(stray_baselines(tiny_suite, models))
    strays = [folder.with_name("renamed"), models / "gone" / "layer-analysis" / "weight-a-act-b" / "run"]
    for stray in strays:
        stray.mkdir(parents=True)
    found = list(stray_baselines(tiny_suite, models))
    assert [problem.split(": ")[0] for problem in found] == sorted(map(str, strays))
    assert all("remove it" in problem for problem in found)


IN_PLACE = (
    "README.md",
    f"{MODEL}/README.md",
    f"{MODEL}/train.py",
    f"{MODEL}/captions/scenes/food.py",
    f"{MODEL}/checkpoint/model.safetensors",
    f"{MODEL}/checkpoint/deep/tokenizer.json",
    f"{MODEL}/layer-analysis/README.md",
)
OUT_OF_PLACE = (
    "notes.txt",
    f"{MODEL}/notes.txt",
    f"{MODEL}/data/captions.txt",
    f"{MODEL}/layer-analysis/notes.md",
    f"{MODEL}/layer-analysis/weight-a-act-b/run/plot.py",
    f"{MODEL}/layer-analysis/weight-a-act-b/README.md",
    f"{MODEL}/layer-analysis/weight-a-act-b/run/plot.png",
    f"{MODEL}/layer-analysis/weight-a-act-b/run/.per-layer-sensitivity.md.x1",
    f"{MODEL}/layer-analysis/weight-a-act-b/run/deep/per-layer-sensitivity.md",
    f"{MODEL}/layer-analysis/other/run/per-layer-sensitivity.md",
)
PICKLES = (f"{MODEL}/layer-analysis/weight-a-act-b/run/state.pt", f"{MODEL}/weights.PTH", f"{MODEL}/a b\né.pkl")


def put(models: Path, *names: str) -> None:
    for name in names:
        file = models / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-c", "core.excludesFile=", *arguments], cwd=folder, check=True, capture_output=True)  # noqa: S603, S607


@pytest.fixture(params=["work tree", "no git"])
def either_tree(request: pytest.FixtureRequest, models: Path) -> Path:
    if request.param == "work tree":
        git(models.parent, "init", "-q")
    return models


def named(models: Path) -> set[str]:
    problems = list(unknown_files(models))
    assert all("; " in problem for problem in problems)
    return {problem.rsplit(": ", 1)[0].removeprefix(f"{models}/") for problem in problems}


@pytest.mark.usefixtures("folder")
def test_what_has_a_place_is_not_named(either_tree: Path) -> None:
    put(either_tree, *IN_PLACE, f"{MODEL}/layer-analysis/{STAGING}/w/new/per-layer-sensitivity.md")
    assert not list(unknown_files(either_tree))


@pytest.mark.usefixtures("folder")
def test_what_has_no_place_is_named(either_tree: Path) -> None:
    put(either_tree, *IN_PLACE, *OUT_OF_PLACE, *PICKLES)
    assert named(either_tree) == {*OUT_OF_PLACE, *PICKLES}
    assert sum("pickle" in problem for problem in unknown_files(either_tree)) == len(PICKLES)


def test_git_decides_what_would_be_committed(models: Path) -> None:
    git(models.parent, "init", "-q")
    (models.parent / ".gitignore").write_text("models/*/checkpoint/\n*.log\n")
    put(models, f"{MODEL}/checkpoint/pytorch_model.bin", f"{MODEL}/run.log")
    assert named(models) == set()
    staged = f"{MODEL}/layer-analysis/{STAGING}/w/x.json"
    forced = [f"{MODEL}/checkpoint/pytorch_model.bin", f"{MODEL}/run.log", staged]
    put(models, staged)
    git(models, "add", "--force", *forced)
    assert named(models) == set(forced)
    for name in forced:
        (models / name).unlink()
    assert named(models) == set()


def test_without_git_a_checkpoint_and_what_python_leaves_behind_are_nobodys_business(models: Path) -> None:
    put(
        models,
        f"{MODEL}/checkpoint/pytorch_model.bin",
        f"{MODEL}/captions/__pycache__/food.cpython-311.pyc",
        f"{MODEL}/weights.bin",
    )
    assert named(models) == {f"{MODEL}/weights.bin"}


@pytest.mark.usefixtures("folder")
def test_the_artifacts_of_a_tree_hold_no_absolute_path(tiny_suite: Suite, models: Path) -> None:
    write_index(tiny_suite, MODEL)
    put(models, f"{MODEL}/layer-analysis/{STAGING}/w/new/x.md")
    files = list(artifact_files(models))
    assert len(files) == 8
    assert not list(absolute_paths(files, Baselines()))


@pytest.mark.parametrize(
    "text",
    [
        "/home/me/models",
        "`/data/run`",
        "x=/scratch/x",
        "(/mnt/disk)",
        "host:/srv/data/x",
        "/usr",
        "~ /root",
        "C:\\Users\\me",
        "C:\\new",
        "d:/data",
        "file:///etc/x",
        "line one\n/opt/x",
    ],
)
def test_an_absolute_path_is_named_with_its_line(
    case: Case, manifest: dict[str, Any], tmp_path: Path, text: str
) -> None:
    markdown, document = tmp_path / "a.md", tmp_path / "b.json"
    markdown.write_text(f"fine\nsee {text} there\n", encoding="utf-8")
    manifest["model"]["id"] = f"see {text} there"
    document.write_text(dumps(manifest), encoding="utf-8")
    first, second = absolute_paths([markdown, document], Baselines())
    assert first.startswith(f"{markdown}:{3 if chr(10) in text else 2}: holds the absolute path '")
    number = next(i for i, line in enumerate(document.read_text().splitlines(), 1) if '"id": "see' in line)
    assert second.startswith(f"{document}:{number}: ")
    assert case.id == manifest["case"]["id"]


@pytest.mark.parametrize(
    "text",
    [
        "q/k/v and gate/up",
        "nats/token",
        "https://huggingface.co/Qwen/Qwen3-VL-4B-Instruct",
        "Qwen/Qwen3-VL",
        "1/2/3",
        "weight-fp8-act-fp8/run/per-layer-sensitivity.md",
        "../models/x/y",
        "./a/b/c",
        "~/.cache/x/y",
        "a / b / c",
        "<b>x</b>",
        "and/or/both",
        "*/mlp/gate",
        "ratio: 3",
        "note\nnext",
    ],
)
def test_what_is_no_absolute_path_is_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.md").write_text(text, encoding="utf-8")
    (tmp_path / "b.json").write_text(dumps({"x": text}), encoding="utf-8")
    assert not list(absolute_paths(tmp_path.iterdir(), Baselines()))


def test_every_line_that_names_a_place_is_numbered(tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    file.write_text("/opt/x\nq/k\n\n\n/opt/x /usr\nlast: /root", encoding="utf-8")
    problems = list(absolute_paths([file], Baselines()))
    assert [problem.split(":")[1] for problem in problems] == ["1", "5", "6"]


def test_a_file_that_is_no_text_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"\xff\xfe")
    (problem,) = absolute_paths([tmp_path / "a.md"], Baselines())
    assert "cannot be read as text" in problem
    (tmp_path / "a.md").unlink()
    (problem,) = absolute_paths([tmp_path / "a.md"], Baselines())
    assert "\n" not in problem


def test_reports_are_known_by_name(case: Case, models: Path) -> None:
    put(models, *(f"{MODEL}/layer-analysis/weight-a-act-b/run/{name}" for name in render_reports(build(case))))
    assert not list(unknown_files(models))


def test_a_recipe_that_the_suite_has_not_is_told(suite: Suite, tmp_path: Path) -> None:
    folder = tmp_path / "qwen3_vl_tiny" / "recipes" / "gone"
    folder.mkdir(parents=True)
    (problem,) = stray_recipes(suite, tmp_path)
    assert problem.startswith(f"{folder}: no recipe of ")
    assert not list(stray_recipes(suite, suite.cases[0].models_root))
