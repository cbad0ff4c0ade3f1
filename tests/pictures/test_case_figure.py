from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.manifests import build, group_key, measured
from tests.pictures.made_up import NOT_MEASURED, dense, with_groups
from tests.places import ROOT, SUITE

from auto_quantize_model import load_suite
from auto_quantize_model.pictures.case_figure import render
from auto_quantize_model.reports.markdown import FIGURE

if TYPE_CHECKING:
    from auto_quantize_model import Case

SVG = "{http://www.w3.org/2000/svg}"
LARGEST = 60_000
HOSTILE = "a|b\n<script>alert(1)</script>\x1b[31m"
COMMITTED = sorted((ROOT / "models").glob("*/layer-analysis/*/*"))


@pytest.fixture(scope="module")
def case() -> Case:
    (only,) = load_suite(SUITE).select("tiny and wfp8_afp8 and small")
    return only


def texts(figure: str) -> list[str]:
    return ["".join(each.itertext()) for each in parsed(figure).iter(f"{SVG}text")]


def parsed(figure: str) -> ET.Element:
    return ET.fromstring(figure)  # noqa: S314  what was rendered a line above


def marks(figure: str, style: str) -> int:
    """How many shapes have been drawn in one style."""
    return sum(
        (each.get("d") or "").count("M") for each in parsed(figure).iter(f"{SVG}path") if each.get("class") == style
    )


@pytest.mark.parametrize("folder", COMMITTED, ids=lambda folder: folder.name)
def test_committed_figures_are_small_and_say_what_they_show(folder: Any) -> None:
    figure = (folder / FIGURE).read_text(encoding="utf-8")
    assert len(figure.encode()) <= LARGEST
    root = parsed(figure)
    assert root.get("role") == "img"
    title, description = (root.findtext(f"{SVG}{tag}") or "" for tag in ("title", "desc"))
    assert title
    assert re.search(r"(costs|predicted to cost) .* per token.*settle", description)
    assert "prefers-color-scheme:dark" in figure


def test_every_kind_of_group_has_a_panel_with_its_groups(case: Case) -> None:
    figure = render(dense(case, 8))
    shown = texts(figure)
    assert [text for text in shown if text in ("q+k+v", "o", "gate", "down")] == ["q+k+v", "o", "gate", "down"]
    assert marks(figure, "p dot") == 32 + 1  # one in the legend
    assert {"layer 0", "layer 1", "layer 2"} <= set(shown)


def test_the_same_manifest_gives_the_same_bytes(case: Case) -> None:
    assert render(dense(case, 8)) == render(dense(case, 8))


def test_94_layers_and_thousands_of_experts_stay_small(case: Case) -> None:
    assert len(render(dense(case, 94)).encode()) <= LARGEST
    experts = [[f"{layer}.mlp.experts.{number}.w1"] for layer in range(48) for number in range(128)]
    figure = render(with_groups(case, experts))
    assert len(figure.encode()) <= LARGEST
    assert any("the costliest, and the span of all" in text for text in texts(figure))


@pytest.mark.parametrize("status", ["not_covered", "not_exercised", "non_finite"])
def test_what_was_not_measured_is_marked_and_never_a_dot(case: Case, status: str) -> None:
    manifest = build(case)
    whole = render(manifest)
    manifest["layer_sensitivity"][group_key(1)] |= {**NOT_MEASURED, "status": status}
    figure = render(manifest)
    assert marks(figure, "p dot") == marks(whole, "p dot") - 1
    assert marks(figure, "q thin") >= 2  # its cross, and that of the legend
    assert "not measured" in texts(figure)
    assert any(status.replace("_", " ") in text for text in texts(figure))


def test_a_zero_is_a_zero_and_not_a_group_without_a_number(case: Case) -> None:
    figure = render(build(case, scores=(3e-4, 0.0)))
    assert "0" in texts(figure)
    assert "not measured" not in texts(figure)


def test_measured_and_doubted_groups_have_marks_of_their_own(case: Case) -> None:
    plain = render(build(case))
    assert not {"measured", "to doubt"} & set(texts(plain))
    figure = render(measured(build(case)))
    assert {"measured", "to doubt"} <= set(texts(figure))
    assert marks(figure, "qf") == 2


def test_an_older_manifest_without_a_predicted_kl_shows_scores(case: Case) -> None:
    manifest = build(case)
    older = {key: manifest[key] for key in ("scheme", "model", "autoquant_state")}
    older["layer_sensitivity"] = {
        name: {"formats": entry["formats"], "importance": entry["importance"]}
        for name, entry in manifest["layer_sensitivity"].items()
    }
    figure = render(older)
    assert any("ModelOpt's score" in text for text in texts(figure))
    assert not any("nats" in text for text in texts(figure))


def renamed(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    entries = manifest["layer_sensitivity"]
    first = {**entries.pop(group_key(0)), "modules": [name]}
    manifest["layer_sensitivity"] = {f"{name}.quant_recipe": first, **entries}
    manifest["layers"][name] = {"quantized": True, "module_type": "QuantLinear"}
    manifest["case"] |= {"model": name, "pair": name}
    return manifest


@given(st.text() | st.text(alphabet="<>&\"'|\n\x1b]-!aA.0") | st.just(HOSTILE) | st.just(f"layers.3.{HOSTILE}"))
def test_no_name_is_markup(case: Case, name: str) -> None:
    root = parsed(render(renamed(build(case), name)))
    tags = {each.tag.removeprefix(SVG) for each in root.iter()}
    assert tags <= {"svg", "title", "desc", "style", "defs", "pattern", "path", "rect", "text"}
    assert all(text.isprintable() for each in root.iter(f"{SVG}text") for text in each.itertext())
