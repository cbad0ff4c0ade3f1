"""A committed manifest with a layer whose name is markup, a table's end and a command, through a whole session.

What cannot be printed is refused where a manifest is read; what can, is shown as text everywhere.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

import pytest
from tests.plugin.projects import TEST_FILE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.plugin.projects import Project

UNPRINTABLE = "model.layers.7.a|b\n<script>alert(1)</script>\x1b[31m"
PRINTABLE = (
    "model.layers.7.a|b`<script>alert(1)</script><img src=x onerror=alert(1)></details>]]></script><!--::error::x"
)
CASE = "one-wfp8_afp16-small"


def renamed(name: str) -> Callable[[dict[str, Any]], None]:
    """An edit that gives the costliest group another name."""

    def edit(manifest: dict[str, Any]) -> None:
        costs = {key: entry["predicted_kl"] or 0.0 for key, entry in manifest["layer_sensitivity"].items()}
        costliest = max(costs, key=lambda key: costs[key])
        text = json.dumps(manifest).replace(json.dumps(costliest), json.dumps(f"{name}.quant_recipe"))
        first = costliest.removesuffix(".quant_recipe")
        manifest |= json.loads(text.replace(json.dumps(first), json.dumps(name)))

    return edit


@pytest.fixture
def published(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    project.write_suite(pairs=["wfp8_afp16"])
    project.write_tests(TEST_FILE)
    assert project.run("--publish").ret == 0
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project.root / "job.md"))
    return project


def run(project: Project, *arguments: str) -> list[str]:
    """The lines of the terminal, which has no colours here."""
    outputs = ("--junit-xml", "junit.xml", "--sensitivity-html", "page.html", "--sensitivity-json", "all.json")
    shown = project.pytester.runpytest_inprocess(
        "--sensitivity-output", "out", *outputs, "-vv", "--color", "no", *arguments
    )
    lines = [*shown.outlines, *shown.errlines]
    assert all(line.isprintable() for line in lines)
    # A command of GitHub's is at the beginning of a line.
    assert all(line.startswith("::error title=one") for line in lines if line.startswith("::"))
    return lines


def check_markdown(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert all(line.isprintable() for line in text.splitlines())
    outside = re.sub(r"(?<![`\\])(`+)(?!`).*?(?<!`)\1(?!`)", "", text)
    assert not re.search(r"<(script|img)", outside)
    assert outside.count("<details>") == outside.count("</details>")
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({len(re.split(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def properties(file: Path) -> dict[str, str]:
    tree = ET.parse(file)  # noqa: S314  what the session wrote
    return {str(each.get("name")): str(each.get("value")) for each in tree.iter("property")}


def test_its_reports_are_made_and_published(published: Project) -> None:
    published.edit_manifest(CASE, renamed(PRINTABLE))
    run(published, "--sensitivity-report-only", "--publish")
    folder = published.manifest_file(CASE).parent
    analysis = folder.parents[1]
    for file in (*folder.glob("*.md"), published.root / "job.md", analysis / "README.md"):
        check_markdown(file)
    report = json.loads((folder / "per-layer-sensitivity.json").read_text(encoding="utf-8"))
    assert PRINTABLE in [row["layer"] for row in report["layer_sensitivity"]]
    figures = [*folder.glob("*.svg"), *analysis.glob("*.svg")]
    assert len(figures) == 4
    for figure in figures:
        tags = {each.tag.rpartition("}")[2] for each in ET.parse(figure).iter()}  # noqa: S314
        assert {"svg", "text"} <= tags
        assert not {"script", "img"} & tags
    page = (published.root / "page.html").read_text(encoding="utf-8")
    assert page.count("</script>") == 2
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert PRINTABLE in json.loads(data)["groups"]["one"]
    assert properties(published.root / "junit.xml")["sensitivity_costliest"].startswith("layer 7 ")


def test_a_run_against_it_says_what_differs(published: Project) -> None:
    published.edit_manifest(CASE, renamed(PRINTABLE))
    lines = run(published, "--sensitivity-device", "cpu")
    assert any(PRINTABLE in line for line in lines)
    check_markdown(published.root / "job.md")
    assert properties(published.root / "junit.xml")["sensitivity_verdict"] == "incomparable"
    (record,) = json.loads((published.root / "all.json").read_text(encoding="utf-8"))["cases"]
    assert record["verdict"] == "incomparable"


@pytest.mark.parametrize("arguments", [("--sensitivity-report-only", "--publish"), ("--sensitivity-device", "cpu")])
def test_what_cannot_be_printed_is_refused_in_a_line_that_can(published: Project, arguments: tuple[str, ...]) -> None:
    published.edit_manifest(CASE, renamed(UNPRINTABLE))
    before = published.files()
    lines = run(published, *arguments)
    assert any("a character that cannot be printed" in line and r"\x1b[31m" in line for line in lines)
    assert published.files() == before
    check_markdown(published.root / "job.md")
    assert properties(published.root / "junit.xml")["sensitivity_verdict"] == "failed"
