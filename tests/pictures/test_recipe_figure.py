from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

import pytest
from tests.places import ROOT

from auto_quantize_model.pictures.recipe_figure import NAME, render_recipe_figure

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

SVG = "{http://www.w3.org/2000/svg}"
LARGEST = 60_000
HOSTILE = "a|b\n<script>alert(1)</script>\x1b[31m"
COMMITTED = sorted((ROOT / "models").glob(f"*/recipes/*/{NAME}"))
FRONT = {"points": [{"effective_bits": 4 + step, "predicted_kl": 0.1**step} for step in range(5)]}


def recipe_of(
    groups: Iterable[Sequence[str]], pairs: Sequence[str] = ("low", "high"), stability: float | None = 1.0
) -> dict[str, Any]:
    """What `recipe.json` says where the pairs take turns."""
    named = [[f"model.layers.{member}" for member in members] for members in groups]
    choices = [*pairs, "none"]
    return {
        "model": "made_up",
        "pairs": list(pairs),
        "effective_bits": 6.0,
        "predicted_kl": 0.01,
        "predicted_kl_ci95": [0.009, 0.012],
        "measured": None,
        "compared": None,
        "alone": {
            pair: {"effective_bits": 4.0 + number, "predicted_kl": 0.1 / (1 + number), "predicted_kl_ci95": None}
            for number, pair in enumerate(pairs)
        },
        "assignment": {
            members[0]: {"pair": choices[number % len(choices)], "modules": members, "stability": stability}
            for number, members in enumerate(named)
        },
    }


def dense(layers: int) -> list[list[str]]:
    attention = [[f"{each}.self_attn.{part}_proj" for part in "qkv"] for each in range(layers)]
    others = ("self_attn.o_proj", "mlp.gate_proj", "mlp.down_proj")
    return attention + [[f"{each}.{name}"] for name in others for each in range(layers)]


def parsed(figure: str) -> ET.Element:
    return ET.fromstring(figure)  # noqa: S314  what was rendered a line above


def texts(figure: str) -> list[str]:
    return ["".join(each.itertext()) for each in parsed(figure).iter(f"{SVG}text")]


def letters(figure: str) -> list[str]:
    """The letters of each row of cells."""
    rows = [each for each in parsed(figure).iter(f"{SVG}text") if each.get("class") == "k c"]
    return [each.text or "" for each in rows if len((each.get("x") or "").split()) > 1]


def drawn(figure: str, style: str) -> str:
    return "".join(each.get("d") or "" for each in parsed(figure).iter(f"{SVG}path") if each.get("class") == style)


@pytest.mark.parametrize("file", COMMITTED, ids=lambda file: "-".join(file.parts[-4:-1]))
def test_committed_figures_are_small_and_told_in_words(file: Path) -> None:
    figure = file.read_text(encoding="utf-8")
    assert len(figure.encode()) <= LARGEST
    recipe = json.loads((file.parent / "recipe.json").read_text(encoding="utf-8"))
    description = parsed(figure).findtext(f"{SVG}desc") or ""
    assert f"{recipe['settled']} of {len(recipe['assignment'])} groups get the same pair" in description
    assert all(f"{pair} alone" in description for pair in recipe["pairs"])
    assert f"]({NAME})" in (file.parent / "recipe.md").read_text(encoding="utf-8").split("##", 1)[0]


def test_every_group_has_the_letter_of_its_pair() -> None:
    figure = render_recipe_figure(recipe_of(dense(4)), FRONT)
    assert letters(figure) == ["AB-A", "B-AB", "-AB-", "AB-A"]
    assert [text for text in texts(figure) if text in ("q+k+v", "o", "gate", "down")] == ["q+k+v", "o", "gate", "down"]
    assert {"low: 6", "high: 5", "none: 5"} <= set(texts(figure))


def test_what_is_open_is_marked_and_the_rest_is_not() -> None:
    recipe = recipe_of(dense(4))
    recipe["assignment"]["model.layers.2.mlp.down_proj"]["stability"] = 0.6
    figure = render_recipe_figure(recipe, FRONT)
    assert "1 of 4 open" in texts(figure)
    settled = render_recipe_figure(recipe_of(dense(4)), FRONT)
    assert not any("open" in text for text in texts(settled))
    # The sample of the legend, and the mark below the cell.
    assert drawn(figure, "q u").count("M") == 2
    assert not drawn(settled, "q u")
    unknown = render_recipe_figure(recipe_of(dense(4), stability=None), FRONT)
    assert any("not known" in text for text in texts(unknown))


def test_a_group_that_nobody_measured_is_hatched_and_not_shown_as_chosen() -> None:
    recipe = recipe_of(dense(2))
    recipe["assignment"]["model.layers.0.mlp.down_proj"] |= {"pair": "none", "left_out": "not exercised"}
    figure = render_recipe_figure(recipe, FRONT)
    assert letters(figure)[-1][0] == "x"
    assert drawn(figure, "x")
    assert "left out: 1" in texts(figure)


def test_more_pairs_than_colours_are_told_apart_by_pattern() -> None:
    pairs = [f"pair{number}" for number in range(12)]
    figure = render_recipe_figure(recipe_of(dense(20), pairs), FRONT)
    looks: dict[str, list[str]] = {}
    for path in parsed(figure).iter(f"{SVG}path"):
        style = path.get("class") or ""
        if style.startswith(("k", "y ")):
            looks.setdefault(path.get("d") or "", []).append(style)
    assert len({tuple(look) for look in looks.values()}) == 12


@pytest.mark.parametrize("separate", [False, True])
def test_94_layers_with_experts_stay_small(separate: bool) -> None:
    layers = dense(94)
    experts = [[f"{layer}.mlp.experts.{expert}.down_proj" for expert in range(128)] for layer in range(94)]
    layers += [[each] for group in experts for each in group] if separate else experts
    figure = render_recipe_figure(recipe_of(layers, ("a", "b", "c", "d"), stability=0.7), FRONT)
    assert len(figure.encode()) <= LARGEST
    assert "experts down" in texts(figure)
    assert not letters(figure)


def test_no_name_is_markup() -> None:
    recipe = recipe_of([[f"0.{HOSTILE}"], ["1.down_proj"]], (HOSTILE,)) | {"model": HOSTILE}
    recipe["assignment"][HOSTILE] = {"pair": HOSTILE, "modules": [HOSTILE], "stability": 0.5}
    figure = render_recipe_figure(recipe, FRONT)
    assert "script" not in {each.tag.removeprefix(SVG) for each in parsed(figure).iter()}
    assert all(text.isprintable() for text in texts(figure))
