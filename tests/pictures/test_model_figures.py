from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

import pytest
from tests.manifests import build, group_key, measured
from tests.pictures.made_up import NOT_MEASURED, dense
from tests.places import ROOT, SUITE

from auto_quantize_model import load_suite
from auto_quantize_model.pictures import bits_against_kl, by_size, heat_map
from auto_quantize_model.pictures.model_figures import FIGURE_NAMES, render_figures
from auto_quantize_model.reports.model_answers import answers
from auto_quantize_model.reports.model_cases import ModelCases

if TYPE_CHECKING:
    from auto_quantize_model import Suite

SVG = "{http://www.w3.org/2000/svg}"
LARGEST = 60_000
HOSTILE = "a|b\n<script>alert(1)</script>\x1b[31m"
COMMITTED = [folder / name for folder in (ROOT / "models").glob("*/layer-analysis") for name in FIGURE_NAMES]


@pytest.fixture(scope="module")
def suite() -> Suite:
    return load_suite(SUITE)


def cases_of(suite: Suite, expression: str, layers: int = 4) -> ModelCases:
    return ModelCases("tiny", [dense(case, layers) for case in suite.select(expression)])


def parsed(figure: str) -> ET.Element:
    return ET.fromstring(figure)  # noqa: S314  what was rendered a line above


def texts(figure: str) -> list[str]:
    return ["".join(each.itertext()) for each in parsed(figure).iter(f"{SVG}text")]


def rows_of(figure: str) -> list[list[str]]:
    return [text.split() for text in texts(figure) if re.match(r" .*\S +\S", text)]


@pytest.mark.parametrize("file", [each for each in COMMITTED if each.is_file()], ids=lambda file: file.parts[-3:])
def test_committed_figures_are_small_and_told_in_words(file: Any) -> None:
    figure = file.read_text(encoding="utf-8")
    assert len(figure.encode()) <= LARGEST
    description = parsed(figure).findtext(f"{SVG}desc") or ""
    assert "wint8_afp16" in description
    assert "wmxfp4_afp8" in description


def test_each_cell_has_the_sum_of_its_layers_groups(suite: Suite) -> None:
    cases = cases_of(suite, "tiny and small and (wfp8_afp8 or wfp8_afp16)", layers=2)
    costs = [1e-2 / (1 + number) for number in range(8)]
    # The groups are made kind by kind, the layers inside.
    first, second = sum(costs[0::2]), sum(costs[1::2])
    shown = rows_of(heat_map.render(cases))
    assert shown[0] == [f"{1e3 * first:.0f}m"] * 2
    assert shown[1] == [f"{1e3 * second:.0f}m"] * 2


def test_a_layer_that_was_not_measured_is_no_pale_cell(suite: Suite) -> None:
    manifest = dense(suite.select("tiny and small and wfp8_afp8")[0], 2)
    entries = manifest["layer_sensitivity"]
    for name in entries:
        if ".0." in name:
            entries[name] |= {**NOT_MEASURED, "status": "not_exercised"}
    figure = heat_map.render(ModelCases("tiny", [manifest]))
    assert "n/a" in [text.strip() for text in texts(figure)]
    assert [each.get("d") for each in parsed(figure).iter(f"{SVG}path") if each.get("class") == "x"]
    first = next(name for name in entries if ".1." in name)
    entries[first] |= {**NOT_MEASURED, "status": "not_exercised"}
    assert any("some were not measured" in text for text in texts(heat_map.render(ModelCases("tiny", [manifest]))))


def test_twenty_pairs_of_94_layers_stay_small(suite: Suite) -> None:
    pairs = [dense(case, 94) for case in suite.select("tiny and small")] * 2
    for number, manifest in enumerate(pairs):
        pairs[number] = {**manifest, "case": {**manifest["case"], "pair": f"wfp{number}_afp16"}}
    for name, figure in render_figures(ModelCases("tiny", pairs)).items():
        assert len(figure.encode()) <= LARGEST, name


def test_recipes_and_their_front_stand_beside_the_pairs(suite: Suite) -> None:
    cases = cases_of(suite, "tiny and small and (wfp8_afp8 or wfp4_afp16)")
    assert "six" not in " ".join(texts(bits_against_kl.render(cases)))
    recipe = {"effective_bits": 6.0, "predicted_kl": 2e-3, "predicted_kl_ci95": [1e-3, 3e-3], "measured": {"kl": 3e-3}}
    points = [{"effective_bits": bits, "predicted_kl": 1e-2 / bits} for bits in (4.5, 6.0, 7.5)]
    figure = bits_against_kl.render(ModelCases("tiny", cases.manifests, {"six": (recipe, {"points": points})}))
    assert "six 2.0m" in texts(figure)
    assert "recipe six: 6 bits, predicted 0.0020 nats, measured 0.0030 nats" in figure


def test_labels_do_not_cover_each_other(suite: Suite) -> None:
    figure = bits_against_kl.render(cases_of(suite, "tiny and small"))
    labels = [each for each in parsed(figure).iter(f"{SVG}text") if each.get("class") == "l"]
    places = [(float(each.get("x") or 0), float(each.get("y") or 0)) for each in labels]
    assert len(places) == 10
    assert all(a is b or a[0] != b[0] or abs(a[1] - b[1]) >= 12 for a in places for b in places)
    (dots,) = [each.get("d") or "" for each in parsed(figure).iter(f"{SVG}path") if each.get("class") == "p dot"][1:]
    marks = [tuple(map(float, mark)) for mark in re.findall(r"M(\S+) (\S+)h0", dots)]
    assert len(marks) == 10
    for label, (x, y) in zip(labels, places, strict=True):
        end = x + 6.5 * len(label.text or "")
        assert not [mark for mark in marks if x < mark[0] < end and y - 10 < mark[1] < y]


def test_sizes_that_say_the_same_say_why(suite: Suite) -> None:
    cases = cases_of(suite, "tiny and wfp8_afp8")
    assert any("The same at two sizes: wfp8_afp8" in text for text in texts(by_size.render(cases)))
    assert any("`wfp8_afp8` say" in line for line in answers(cases))


def test_the_answers_name_the_cheapest_pair_and_what_to_protect(suite: Suite) -> None:
    manifests = [build(case) for case in suite.select("tiny and small and (wfp8_afp8 or wfp8_afp16)")]
    measured(manifests[0], 0.5)
    measured(manifests[1], 0.25)
    cheapest, protect, *_ = answers(ModelCases("tiny", manifests))
    assert "at 8 bits `wfp8_afp16`, 0.25 nats per token measured (the dearest, `wfp8_afp8`, 0.50" in cheapest
    assert "**layer 0 gate+up** (2 of 2 pairs)" in protect


def test_the_answers_say_whether_weights_or_activations_cost_more(suite: Suite) -> None:
    manifests = [build(case) for case in suite.select("tiny and small and (wfp8_afp8 or wfp8_afp16)")]
    for entry in manifests[0]["layer_sensitivity"].values():
        entry["split"] = {"weights": 3e-4, "activations": 1e-4, "interaction": None}
    manifests[1]["layer_sensitivity"][group_key(0)]["split"] = None
    (line,) = [each for each in answers(ModelCases("tiny", manifests)) if "Weights or activations" in each]
    assert "the share `wfp8_afp8` 75%, the" in line


def test_without_a_predicted_kl_there_is_nothing_to_draw(suite: Suite) -> None:
    manifest = build(suite.select("tiny and small and wfp8_afp8")[0])
    for entry in manifest["layer_sensitivity"].values():
        entry["predicted_kl"] = None
    cases = ModelCases("tiny", [manifest])
    assert not render_figures(cases)
    assert not list(answers(cases))


def test_no_name_is_markup(suite: Suite) -> None:
    manifest = build(suite.select("tiny and small and wfp8_afp8")[0])
    manifest["case"] |= {"pair": HOSTILE}
    for figure in render_figures(ModelCases(HOSTILE, [manifest])).values():
        assert "script" not in {each.tag.removeprefix(SVG) for each in parsed(figure).iter()}
        assert all(text.isprintable() for text in texts(figure))


def in_sizes(manifest: dict[str, Any], counts: dict[str, int]) -> ModelCases:
    """The same case in sizes of other names, in any order."""
    made = []
    for size, captions in counts.items():
        each = {**manifest, "case": {**manifest["case"], "size": size}}
        each["calibration"] = {**manifest["calibration"], "calibrated_samples": captions}
        made.append(each)
    return ModelCases("tiny", made)


def test_sizes_go_by_their_captions_whatever_they_are_called(suite: Suite) -> None:
    manifest = dense(suite.select("tiny and small and wfp8_afp8")[0], 2)
    cases = in_sizes(manifest, {"zeta": 256, "all_of_it_and_more": 4096, "c32": 32, "alpha": 64, "smoke": 4})
    assert list(cases.of_pair("wfp8_afp8")) == ["smoke", "c32", "alpha", "zeta", "all_of_it_and_more"]
    assert cases.largest("wfp8_afp8")["case"]["size"] == "all_of_it_and_more"
    figure = by_size.render(cases)
    assert "from top to bottom: smoke 4, c32 32, alpha 64, zeta 256, all_of_… 4096 captions" in texts(figure)
    width = float(parsed(figure).get("width") or 0)
    columns = [
        each for each in parsed(figure).iter(f"{SVG}text") if each.get("class") == "s m c" and each.get("y") == "80"
    ]
    assert [each.text for each in columns] == ["smoke", "c32", "alpha", "zeta", "all_of_…"]
    assert all(float(each.get("x") or 0) < width - 20 for each in columns)


def test_one_size_has_one_column(suite: Suite) -> None:
    figure = by_size.render(in_sizes(dense(suite.select("tiny and small and wfp8_afp8")[0], 2), {"c32": 32}))
    assert "c32" in texts(figure)
    assert not {"small", "medium", "large"} & set(texts(figure))
