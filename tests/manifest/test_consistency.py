from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.places import TINY

from auto_quantize_model.manifest.consistency import inconsistencies

if TYPE_CHECKING:
    from collections.abc import Callable

FILES = sorted(TINY.glob("layer-analysis/*/*/*_quant_manifest.json"))


def read(index: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILES[index].read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("index", range(0, len(FILES), 5))
def test_what_an_engine_wrote_agrees_with_itself(index: int) -> None:
    assert list(inconsistencies(read(index))) == []


def first_entry(manifest: dict[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = next(iter(manifest["layer_sensitivity"].values()))
    return entry


def scale_scores(manifest: dict[str, Any]) -> None:
    first_entry(manifest)["scores"][0] *= 1.05


def scale_importance(manifest: dict[str, Any]) -> None:
    first_entry(manifest)["importance"] *= 1.05


def scale_ranking(manifest: dict[str, Any]) -> None:
    manifest["sensitivity_ranking"][3]["importance"] *= 1.05


def swap_ranks(manifest: dict[str, Any]) -> None:
    one, other = list(manifest["layer_sensitivity"].values())[:2]
    one["rank"], other["rank"] = other["rank"], one["rank"]


def scale_total(manifest: dict[str, Any]) -> None:
    manifest["autoquant_state"]["score"] *= 1.000001


def count_one_more(manifest: dict[str, Any]) -> None:
    manifest["num_quantized_layers"] += 1


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (scale_scores, "scores[0] is "),
        (scale_importance, "importance is "),
        (scale_ranking, "sensitivity_ranking: "),
        (swap_ranks, "its order is not that of the entries' ranks"),
        (scale_total, "autoquant_state.score is "),
        (count_one_more, "num_quantized_layers is "),
    ],
)
def test_what_was_edited_in_one_place_is_named(edit: Callable[[dict[str, Any]], None], words: str) -> None:
    manifest = copy.deepcopy(read(0))
    edit(manifest)
    assert any(words in problem for problem in inconsistencies(manifest))
