"""README and docs: short where they should be, up to date where they are generated, and true of what they name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from docs.generate import generated, with_parts
from tests.docs import pages
from tests.docs.pages import DOCS, PAGES, README
from tests.places import ROOT
from tests.test_rooms import ORDER

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE = ROOT / "src" / "auto_quantize_model"
REPORT = (
    ROOT / "models/smollm2_135m/layer-analysis/weight-fp8-act-fp8/smollm2_135m_autoquant_wfp8_afp8_lm_medium"
    "/per-layer-sensitivity.md"
)
MADE_BY_READERS = re.compile(
    r"tmp/.*|conf/|checkpoint/|models/my_model/.*|test_my_model\.py|mine_\{size\}\.txt|/shared/captures"
    r"|models/\*/layer-analysis/\.publishing/|conf/quant_pair/wfp4_mlp\.yaml|conf/dataset/mine\.yaml|.*<.*>.*|.*coco2017_captions_.*|layer-analysis/.*|quantization_config\.json|modelopt_choice\.json|llm_compressor_recipe\.yaml"
)
"""What pages name and only a reader's own machine has."""
PATH = re.compile(r"[\w.*{}<>-]*(/[\w.*{}<>,-]+)*(/|\.(py|yaml|md|json|toml|txt|ambr|safetensors))")


def page_id(page: Path) -> str:
    return pages.name(page)


def test_the_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 180


@pytest.mark.parametrize("page", generated(), ids=page_id)
def test_a_generated_page_is_up_to_date(page: Path) -> None:
    assert page.read_text(encoding="utf-8") == generated()[page], "run: python docs/generate.py"


def test_a_generated_part_that_went_stale_is_seen() -> None:
    page = (DOCS / "suite.md").read_text(encoding="utf-8")
    assert with_parts(page) == page
    assert with_parts(page.replace("--sensitivity-device", "--sensitivity-devices")) == page


def test_the_options_listed_are_those_that_pytest_has(pytester: pytest.Pytester) -> None:
    shown = pytester.runpytest_inprocess("--help").stdout.str()
    of_pytest = set(re.findall(r"^  (--sensitivity-[\w-]+|--publish)\b", shown, flags=re.MULTILINE))
    table = (DOCS / "suite.md").read_text(encoding="utf-8").partition("## Options of pytest")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(--[\w-]+)", table, flags=re.MULTILINE)) == of_pytest


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_link_leads_somewhere(page: Path) -> None:
    lost = [link for link in pages.links(page) if not leads_somewhere(page, link)]
    assert not lost


def leads_somewhere(page: Path, link: str) -> bool:
    if "://" in link:
        return True
    place, _, anchor = link.partition("#")
    target = page.parent / place if place else page
    return target.exists() and (not anchor or anchor in pages.anchors(target))


def test_a_lost_link_would_be_seen() -> None:
    assert leads_somewhere(README, "docs/concepts.md#how-true-it-is")
    assert not leads_somewhere(README, "docs/concepts.md#how-false-it-is")
    assert not leads_somewhere(README, "docs/conceptions.md")


@pytest.mark.parametrize("page", [README, *sorted(DOCS.glob("*.md"))], ids=page_id)
def test_every_file_that_is_named_exists(page: Path) -> None:
    missing = [path for path in paths_in(page) if not is_there(path, exactly=page.name == "internals.md")]
    assert not missing


def paths_in(page: Path) -> list[str]:
    named = [span for span in pages.spans(page) if PATH.fullmatch(span)]
    return [path for path in named if not MADE_BY_READERS.fullmatch(path)]


def is_there(path: str, *, exactly: bool) -> bool:
    """Whether the repository has it; pages but that for whoever changes the code may leave folders out."""
    if any((root / path).exists() for root in (ROOT, PACKAGE)):
        return True
    return not exactly and any(name.endswith(f"/{path}") for name in everything())


def everything() -> set[str]:
    rooms = ("src", "sensitivity_cases", "models", "docs", "tests", "benchmarks")
    return {f"/{file.relative_to(ROOT).as_posix()}" for room in rooms for file in (ROOT / room).rglob("*")}


def test_the_rooms_listed_are_those_of_the_layering() -> None:
    table = (DOCS / "internals.md").read_text(encoding="utf-8").partition("| rooms |")[2].partition("\n\n")[0]
    firsts = re.findall(r"^\| (`.*?) \|", table, flags=re.MULTILINE)
    listed = [re.sub(r"/$|\.py$", "", name) for first in firsts for name in re.findall(r"`([^`]+)`", first)]
    assert listed == list(dict.fromkeys(room.partition(".")[0] for room in ORDER if room != "__main__"))


def test_the_page_for_changes_names_files_and_what_is_in_them() -> None:
    """In the table, a name beside a file is one that the file has."""
    text = (DOCS / "internals.md").read_text(encoding="utf-8").partition("## To change X")[2]
    wrong = []
    for row in re.findall(r"^\| .* \| (.*) \|$", text, flags=re.MULTILINE):
        code = re.findall(r"`([^`]+)`", row)
        files = [place for path in code if PATH.fullmatch(path) for place in (ROOT / path, PACKAGE / path)]
        texts = [file.read_text(encoding="utf-8") for file in files if file.is_file()]
        names = [each for each in code if re.fullmatch(r"[A-Za-z_][\w.]*", each) and not PATH.fullmatch(each)]
        wrong += [each for each in names if not any(each.rpartition(".")[2] in text for text in texts)]
    assert not wrong


def test_the_readmes_result_is_that_of_the_report() -> None:
    report = {row.split("|")[1]: row for row in REPORT.read_text(encoding="utf-8").splitlines() if row.startswith("|m")}
    rows = [row for row in README.read_text(encoding="utf-8").splitlines() if row.startswith("| model.layers.")]
    assert len(rows) >= 5
    for row in rows:
        layer, *cells = (cell.strip() for cell in row.strip("|").split("|"))
        assert set(cells) <= set(report[layer].split("|"))
