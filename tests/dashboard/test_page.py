from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.dashboard.browser import ask, needs_chromium
from tests.manifests import build, group_key, measured
from tests.pictures.made_up import NOT_MEASURED, dense
from tests.places import ROOT, SUITE

from auto_quantize_model import load_suite
from auto_quantize_model.cases.settings import Tolerances
from auto_quantize_model.cli import main
from auto_quantize_model.comparison.sources import Source, read_source
from auto_quantize_model.dashboard.page import render_page
from auto_quantize_model.dashboard.page_data import Remark, page_data
from auto_quantize_model.manifest.document import dumps
from auto_quantize_model.reports.committed_recipes import read_recipes

if TYPE_CHECKING:
    from auto_quantize_model import Suite

HOSTILE = "a|b\n<script>alert(1)</script>\x1b[31m</script><!--"


@pytest.fixture(scope="module")
def suite() -> Suite:
    return load_suite(SUITE)


def source(name: str, *manifests: dict[str, Any]) -> Source:
    return Source(name, {PurePosixPath(f"{len(name)}-{at}", "x.json"): each for at, each in enumerate(manifests)})


def shown(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def page_of(*sources: Source, **more: Any) -> str:
    return render_page(page_data(sources, more.pop("recipes", {}), Tolerances(), **more))


def run_and_baseline(suite: Suite) -> tuple[Source, Source]:
    cases = suite.select("tiny and small")[:4]
    before, after = ([dense(case, 6) for case in cases] for _ in range(2))
    for entry in after[0]["layer_sensitivity"].values():
        entry["importance"] *= 1.5
    after[0]["autoquant_state"]["score"] *= 1.5
    return source("models", *before), source("run", *after)


def test_the_same_manifests_give_the_same_page_that_names_no_place_elsewhere(suite: Suite) -> None:
    manifests = [build(case) for case in suite.select("tiny and small")]
    page = page_of(source("models", *manifests))
    assert page == page_of(source("models", *manifests))
    outside = re.sub(r'<script type="application/json".*?</script>', "", page, flags=re.DOTALL)
    assert set(re.findall(r"https?://[^\s\"']+", outside)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<link|\ssrc=|@import|url\(", outside)


def test_a_group_has_its_numbers_and_what_was_not_measured_has_none(suite: Suite) -> None:
    manifest = measured(build(suite.select("tiny and small and wfp8_afp8")[0]), 0.02)
    manifest["layer_sensitivity"][group_key(1)] |= {**NOT_MEASURED, "status": "not_covered"}
    (case,) = shown(page_of(source("models", manifest)))["sources"][0]["cases"]
    at = case["groups"].index(group_key(1).removesuffix(".quant_recipe"))
    assert [case["columns"][key][at] for key in ("kl", "score", "status")] == [None, None, "not_covered"]
    assert case["columns"]["kl"][0] == 0.009
    assert case["measured"] == 0.02
    assert case["figure"].startswith("<svg")


def test_a_run_stands_against_its_baseline_with_verdict_and_causes(suite: Suite) -> None:
    models, run = run_and_baseline(suite)
    remarks = {run.manifests[PurePosixPath("3-1/x.json")]["case"]["id"]: Remark("failed", "why it failed")}
    data = shown(page_of(models, run, remarks=remarks))
    (comparison,) = data["comparisons"]
    assert comparison["verdict"] == "drift"
    assert [case["verdict"] for case in comparison["cases"]] == ["drift", "identical", "identical", "identical"]
    assert comparison["cases"][0]["moved"][0][4] == pytest.approx(1.5)
    assert data["sources"][1]["cases"][1]["reason"] == "why it failed"
    assert "reason" not in data["sources"][0]["cases"][1]


def test_sources_with_no_case_in_common_say_so(suite: Suite) -> None:
    one, other = (build(suite.select(f"tiny and small and {pair}")[0]) for pair in ("wfp8_afp8", "wint8_aint8"))
    third = build(suite.select("smollm2 and small and wfp4_afp4")[0])
    (comparison,) = shown(page_of(source("a", one, other), source("bb", third)))["comparisons"]
    assert "has no case" in comparison["problem"]


@given(st.text() | st.just(HOSTILE))
def test_no_name_ends_the_data_or_the_page(suite: Suite, name: str) -> None:
    manifest = build(suite.select("tiny and small and wfp8_afp8")[0])
    entries = manifest["layer_sensitivity"]
    entries[f"{name}.quant_recipe"] = {**entries.pop(group_key(0)), "modules": [name]}
    manifest["layers"][name] = {"quantized": True, "module_type": "QuantLinear"}
    page = page_of(source(name, manifest))
    assert page.count("</script>") == 2
    assert name.removesuffix(".quant_recipe") in shown(page)["groups"]["qwen3_vl_tiny"]


def test_the_command_writes_the_page(
    suite: Suite, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("before", "after"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "x_quant_manifest.json").write_text(dumps(build(suite.cases[0])), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["dashboard", "before", "after", "--output", "out/page.html"]) == 0
    assert capsys.readouterr().out.startswith("wrote out/page.html (")
    assert [each["name"] for each in shown(text_of(tmp_path / "out/page.html"))["sources"]] == ["before", "after"]
    assert main(["dashboard", "before", "--output", "out"]) == 2
    assert main(["dashboard", "nothing", "--output", "x.html"]) == 2


def text_of(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def test_history_shows_what_each_revision_changed(
    suite: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], cwd=tmp_path, check=True)  # noqa: S603, S607

    monkeypatch.chdir(tmp_path)
    git("init", "-q", "-b", "main")
    file = tmp_path / "models" / "m" / "x_quant_manifest.json"
    file.parent.mkdir(parents=True)
    manifest = build(suite.cases[0])
    for number, factor in enumerate((1, 1, 2)):
        manifest["layer_sensitivity"][group_key(0)]["importance"] = 3e-4 * factor
        file.write_text(dumps(manifest), encoding="utf-8")
        (tmp_path / "other").write_text(str(number), encoding="utf-8")
        git("add", ".")
        git("commit", "-qm", f"commit {number}")
    assert main(["dashboard", "--output", "page.html", "--history", "HEAD~2..HEAD"]) == 0
    history = shown(text_of(tmp_path / "page.html"))["history"]
    assert [subject for _, _, subject in history["revisions"]] == ["commit 0", "commit 2"]
    groups = history["cases"][manifest["case"]["id"]]["groups"]
    assert groups[group_key(0).removesuffix(".quant_recipe")]["score"] == [3e-4, 6e-4]
    capsys.readouterr()
    assert main(["dashboard", "--output", "page.html", "--history", "HEAD"]) == 2
    assert "OLD..NEW" in capsys.readouterr().err
    assert main(["dashboard", "--output", "page.html", "--history", "nothing..HEAD"]) == 2


DO = """
const cell = (text) => [...document.querySelectorAll("#overview tbody th")].map((each) => each.textContent);
const told = { cells: cell() };
const heads = [...document.querySelectorAll("#overview thead button")];
heads.find((each) => each.textContent === "Predicted KL").click();
told.sorted = [...document.querySelectorAll("#overview tbody tr")].map((row) => row.cells[2].textContent);
told.aria = document.querySelector("#overview th[aria-sort]").getAttribute("aria-sort");
const filter = document.querySelector("#overview input");
filter.value = "wfp4 afp16";
filter.dispatchEvent(new Event("input"));
told.filtered = cell();
const first = document.querySelector("#map td button");
first.focus();
told.byFocus = document.querySelector("#map .details").textContent;
first.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown", bubbles: true }));
told.moved = document.activeElement.getAttribute("aria-label");
told.tabStops = document.querySelectorAll('#map td button[tabindex="0"]').length;
document.querySelectorAll("#map td button")[2].dispatchEvent(new MouseEvent("mouseenter"));
told.byPointer = document.querySelector("#map .details").textContent;
document.querySelector("#bits [tabindex]").focus();
told.point = document.querySelector("#bits .details").textContent;
told.landmarks = ["header", "nav", "main", "footer"].map((each) => document.querySelectorAll(each).length);
told.wider = document.documentElement.scrollWidth > document.documentElement.clientWidth;
told.verdict = document.querySelector("#compared-0") && document.querySelector("#compared-0").textContent;
return told;
"""


@needs_chromium
@pytest.mark.parametrize("width", [1280, 500])
def test_in_a_browser_tables_sort_filter_and_tell_by_pointer_and_keyboard(
    suite: Suite, tmp_path: Path, width: int
) -> None:
    answer = ask(page_of(*run_and_baseline(suite)), DO, tmp_path, width=width)
    assert (answer["problems"], answer["asked"]) == ([], [])
    told = answer["told"]
    assert "failed" not in told
    assert len(told["cells"]) == 8
    assert told["aria"] == "descending"
    assert told["filtered"] == sorted(each for each in told["cells"] if "wfp4_afp16" in each)
    assert told["byFocus"].startswith("layer 0, ")
    assert "band" in told["byFocus"]
    assert told["moved"].startswith("layer 1, ")
    assert told["tabStops"] == 1
    assert told["byPointer"] != told["byFocus"]
    assert "bits, predicted" in told["point"]
    assert told["landmarks"] == [1, 1, 1, 1]
    assert not told["wider"]
    assert "Verdict: drift" in told["verdict"]


LOOK = """
const meet = (a, b) => a.left < b.right && a.right > b.left && a.top + 3 < b.bottom && a.bottom - 3 > b.top;
const all = (what) => [...document.querySelectorAll(`#bits svg g ${what}`)];
const boxes = (what) => all(what).map((each) => each.getBoundingClientRect());
const [labels, marks] = [boxes("text"), [...boxes("circle"), ...boxes("rect"), ...boxes("path.orange")]];
return {
  wider: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  smallest: Math.min(...labels.map((each) => each.height)),
  covered: labels.filter((label, at) => [...marks, ...labels.slice(at + 1)].some((other) => meet(label, other))).length,
  labels: labels.length,
};
"""


@needs_chromium
@pytest.mark.parametrize("width", [1280, 800, 400])
def test_in_a_browser_what_is_published_can_be_read_at_any_width(tmp_path: Path, width: int) -> None:
    published = read_source(str(ROOT / "models"))
    recipes = {model: read_recipes(ROOT / "models" / model, Path.read_bytes) for model in ("qwen3_vl_tiny",)}
    told = ask(page_of(published, recipes=recipes), LOOK, tmp_path, width=width)["told"]
    assert told["wider"] <= 0
    assert told["smallest"] >= 12
    assert told["covered"] == 0
    assert told["labels"] == 12


@needs_chromium
def test_in_a_browser_a_hostile_name_is_text(suite: Suite, tmp_path: Path) -> None:
    manifest = build(suite.select("tiny and small and wfp8_afp8")[0])
    entries = manifest["layer_sensitivity"]
    name = f"layers.1.{HOSTILE}"
    entries[f"{name}.quant_recipe"] = {**entries.pop(group_key(0)), "modules": [name]}
    manifest["layers"][name] = {"quantized": True, "module_type": "QuantLinear"}
    manifest["case"] |= {"pair": HOSTILE, "model": HOSTILE}
    look = "return [document.querySelectorAll('script').length, document.body.textContent.includes('alert(1)')];"
    answer = ask(page_of(source(HOSTILE, manifest)), look, tmp_path)
    assert (answer["problems"], answer["asked"]) == ([], [])
    assert answer["told"] == [4, True]


@needs_chromium
def test_in_a_browser_many_cases_of_a_large_model_are_shown(suite: Suite, tmp_path: Path) -> None:
    cases = suite.select("tiny or smollm2")
    page = page_of(source("models", *(dense(case, 94) for case in cases)))
    assert len(page.encode()) < 15_000_000
    answer = ask(page, "return document.querySelectorAll('#map td').length;", tmp_path)
    assert (answer["problems"], answer["asked"], answer["told"]) == ([], [], 940)
