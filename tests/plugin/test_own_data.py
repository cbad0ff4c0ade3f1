"""A stranger's suite with data and sizes of its own, from the first publish to a changed text."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from tests.places import ROOT
from tests.plugin.projects import lines_with

from auto_quantize_model.cli import main

if TYPE_CHECKING:
    from tests.plugin.projects import Project

TEXTS = [f"A caption, number {number},\nand its second line." for number in range(40)]
INDEX = "models/one/layer-analysis"


@pytest.fixture
def own(project: Project) -> Project:
    project.write_suite(sizes={"smoke": 4, "c32": 32}, dataset="mine", pairs=["wfp8_afp16"])
    project.write_file("conf/dataset/mine.yaml", "files: [data/mine.jsonl]\n")
    write_texts(project, TEXTS)
    return project


def write_texts(project: Project, texts: list[str]) -> None:
    project.write_file("data/mine.jsonl", "".join(f"{json.dumps({'text': text})}\n" for text in texts))


def test_it_publishes_and_compares_under_its_own_names(own: Project) -> None:
    assert own.run("--publish").ret == 0
    before = own.files()
    folders = {name.split("/")[-2] for name in before if name.endswith("quant_manifest.json")}
    assert folders == {f"one_autoquant_wfp8_afp16_lm_{size}" for size in ("smoke", "c32")}
    result = own.run("-v")
    assert result.ret == 0
    assert not lines_with(result, "names no dataset")
    own.run("-k", "c32", "--publish")
    assert own.files() == before
    page = before["one/layer-analysis/README.md"].decode()
    assert re.search(r"\[smoke\]\(\S+\) \[c32\]\(", page)
    figure = before["one/layer-analysis/by-size.svg"].decode()
    assert "from top to bottom: smoke 4, c32 32 captions" in figure
    manifest = json.loads(own.manifest_file("one-wfp8_afp16-c32").read_text(encoding="utf-8"))
    assert manifest["case"]["size"] == "c32"
    assert manifest["dataset"]["captions"] == "mine.jsonl"
    assert manifest["dataset"]["form"] == "text"


def test_a_changed_text_is_incomparable_where_it_counts(own: Project) -> None:
    assert own.run("--publish").ret == 0
    write_texts(own, [*TEXTS[:10], "Another text.", *TEXTS[11:]])
    result = own.run()
    result.assert_outcomes(passed=1, failed=1)
    assert lines_with(result, "the captions: calibration.captions_sha256")
    assert lines_with(result, "one-wfp8_afp16-smoke")


def test_the_pages_example_runs(project: Project) -> None:
    project.write_model("my_model")
    page = (ROOT / "docs" / "suite.md").read_text(encoding="utf-8").partition("## Data of your own")[2]
    for name in ("suite.yaml", "conf/dataset/mine.yaml", "data/mine.jsonl"):
        found = re.search(rf"^`{re.escape(name)}`[^\n]*:\n\n```\w+\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
        assert found, name
        project.write_file(name, found[1] * (16 if name.endswith(".jsonl") else 1))
    assert len(project.files("data")["mine.jsonl"].splitlines()) == 32
    assert project.run("--publish", "-k", "wint8_aint8 or wfp8_afp16").ret == 0
    assert project.manifest_file("my_model-wint8_aint8-c32").is_file()


def test_an_override_that_gives_a_size_other_captions_is_named(own: Project) -> None:
    assert own.run("--publish").ret == 0
    had = "this run had --sensitivity-override suite.sizes.smoke=5, which the baseline has not"
    assert lines_with(own.run("--sensitivity-override", "suite.sizes.smoke=5", "-k", "smoke"), had)
    result = own.run("--publish", "--sensitivity-override", "suite.sizes={smoke: 5}")
    assert lines_with(result, "changes what is published")


def test_wrong_data_is_one_line(own: Project) -> None:
    own.write_file("data/mine.jsonl", '{"text": "a"}\n{"txt": "b"}\n')
    result = own.run()
    result.assert_outcomes(failed=2)
    assert lines_with(result, "data/mine.jsonl: line 2: no key 'text'; did you mean 'txt'?")
    assert not lines_with(result, "Traceback")


def test_a_recipe_of_the_command_line_takes_the_largest_size(
    own: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert own.run("--publish").ret == 0
    monkeypatch.chdir(own.root)
    assert main(["recipe", "--model", "one", "--bits", "8", "--output", "out/recipe"]) == 0
    recipe = json.loads((own.root / "out/recipe/recipe.json").read_text(encoding="utf-8"))
    assert recipe["size"] == "c32"
    assert main(["recipe", "--model", "one", "--bits", "8", "--size", "c64", "--output", "out/recipe"]) == 2
    assert "no manifest of 'one' at size c64; valid: c32, smoke" in capsys.readouterr().err
