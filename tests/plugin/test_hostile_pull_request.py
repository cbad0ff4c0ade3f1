"""A pull request from somebody who means harm, checked out and tested, re-reported and published.

Nothing outside the models tree and the output may change, and each attack is named in one line.
"""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from tests.plugin.projects import lines_with

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.plugin.projects import Project

CASE = "one-wfp8_afp16-small"
CHECKS = """
import pytest

from auto_quantize_model.baselines import checks
from auto_quantize_model.plugin.failing import fail_on


def test_sensitivity(sensitivity_case):
    sensitivity_case.check_artifacts()
    sensitivity_case.check_baseline()


def test_baseline(sensitivity_baseline):
    sensitivity_baseline.check_numbers()
    sensitivity_baseline.check_reports()


def test_files(sensitivity_suite):
    fail_on(checks.unknown_files(sensitivity_suite.path.parent / "models"))
"""
RUNS = (
    ("-m", "not gpu"),
    ("--sensitivity-report-only", "--publish"),
    ("--publish", "--sensitivity-device", "cpu"),
)
"""Tested, re-reported and published."""
BOMB = "x: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefg", "bcdefgh", strict=True)
)


class PullRequest:
    """A published case in a project, and somebody's files beside it, older than an hour."""

    def __init__(self, project: Project) -> None:
        self.project = project
        project.write_suite(pairs=["wfp8_afp16"])
        project.write_tests(CHECKS)
        assert project.run("--publish", "-k", "sensitivity").ret == 0
        self.outside = project.root.parent / f"{project.root.name}-outside"
        for name in ("photos", "letters"):
            (self.outside / name).mkdir(parents=True)
            (self.outside / name / "only copy").write_text(name, encoding="utf-8")
            os.utime(self.outside / name, (0, 0))
        self.manifest = project.manifest_file(CASE)
        self.run_folder = self.manifest.parent
        self.analysis = self.run_folder.parents[1]

    def run(self, *arguments: str) -> pytest.RunResult:
        return self.project.pytester.runpytest_inprocess("--sensitivity-output", "out", *arguments)

    def surroundings(self) -> dict[str, bytes]:
        """Everything but the models tree and the output."""
        mine = {"models", "out", "__pycache__", ".pytest_cache", "tmp"}
        places = [path for path in self.project.root.iterdir() if path.name not in mine]
        files = [file for place in (*places, self.outside) for file in (place, *place.rglob("*")) if file.is_file()]
        names = [path for path in self.project.root.parent.iterdir() if path.is_dir()]
        return {str(file): file.read_bytes() for file in files} | {str(name): b"" for name in names}


def link(place: str, to: str) -> Callable[[PullRequest], None]:
    def attack(request: PullRequest) -> None:
        target = {"staging": request.analysis / ".publishing", "run": request.run_folder, "manifest": request.manifest}
        path = target[place]
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        path.symlink_to(request.outside / to)
        if place == "staging":  # which nobody needs unless something is to be written
            (request.run_folder / "per-layer-sensitivity.md").unlink()

    return attack


def edit(*path: Any) -> Callable[[PullRequest], None]:
    def attack(request: PullRequest) -> None:
        manifest = json.loads(request.manifest.read_text(encoding="utf-8"))
        place = manifest
        for key in path[:-2]:
            place = place[next(iter(place)) if key is None else key]
        place[path[-2]] = path[-1]
        request.manifest.write_text(json.dumps(manifest), encoding="utf-8")

    return attack


def text(change: Callable[[str], str]) -> Callable[[PullRequest], None]:
    def attack(request: PullRequest) -> None:
        request.manifest.write_text(change(request.manifest.read_text(encoding="utf-8")), encoding="utf-8")

    return attack


def file(name: str, content: str) -> Callable[[PullRequest], None]:
    def attack(request: PullRequest) -> None:
        path = request.project.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")

    return attack


ATTACKS: dict[str, tuple[Callable[[PullRequest], None], str]] = {
    "a link for the staging folder": (link("staging", "photos"), "is a link, and none is followed"),
    "a link for a baseline": (link("run", "letters"), "is a link, and none is followed"),
    "a link for a manifest": (link("manifest", "letters/only copy"), "is a link, and none is followed"),
    "a way out": (edit("scheme", "name", "../../../../escaped"), "scheme.name"),
    "an absolute path": (edit("scheme", "name", "/tmp/escaped"), "scheme.name"),  # noqa: S108  never written
    "a name with an escape": (edit("model", "id", "\x1b[2J"), "cannot be printed"),
    "a forged row": (edit("layers", "a\n| fine | 0.0 |", {}), "cannot be printed"),
    "a negative score": (edit("layer_sensitivity", None, "scores", [-1.0, 0.0]), "a score is negative"),
    "an interval upside down": (edit("layer_sensitivity", None, "ci95", [9.0, 1.0]), "ci95 goes from 9 down to 1"),
    "a million ranks": (edit("layer_sensitivity", None, "rank", 10**6), "without its own value 1e+06"),
    "a key given twice": (text(lambda old: old.replace('"rank": 3,', '"rank": 3, "rank": 3,')), "is given twice"),
    "endless lists": (text(lambda _: "[" * 90_000 + "]" * 90_000), "not valid JSON"),
    "megabytes of nothing": (text(lambda old: old.replace("{", "{" + " " * 5_000_000, 1) + "x"), "not valid JSON"),
    "a bomb for a model": (file("models/one/model.yaml", BOMB), "more than 100000 values"),
    "a bomb for a suite": (file("suite.yaml", BOMB), "more than 100000 values"),
    "a bomb for a pair": (file("conf/quant_pair/wfp8_afp16.yaml", BOMB), "more than 100000 values"),
    "a pickle": (file("models/one/layer-analysis/weights.pkl", "cos\nsystem\n"), "a pickle may run code"),
}


PUBLISHED = (*list(ATTACKS)[:5], "a negative score", "a key given twice")
"""The attacks that a publish which runs the engine meets at doors of its own: links, names, what it replaces."""


@pytest.fixture
def request_from_a_stranger(project: Project) -> PullRequest:
    return PullRequest(project)


@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_outside_changes_and_the_attack_is_named(request_from_a_stranger: PullRequest, name: str) -> None:
    attack, words = ATTACKS[name]
    attack(request_from_a_stranger)
    before = request_from_a_stranger.surroundings()
    named = []
    for arguments in RUNS if name in PUBLISHED else RUNS[:2]:
        result = request_from_a_stranger.run(*arguments)
        named += lines_with(result, words)
        assert not lines_with(result, "INTERNALERROR")
        assert not lines_with(result, "Traceback (most recent call last)")
        assert "\x1b[2J" not in result.stdout.str()
        assert request_from_a_stranger.surroundings() == before
    assert named
