from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.places import TINY

from auto_quantize_model.errors import InputError
from auto_quantize_model.manifest.consistency import inconsistencies
from auto_quantize_model.manifest.document import check_manifest, read_manifest
from auto_quantize_model.manifest.schema import InvalidManifestError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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


def entry_of(manifest: dict[str, Any], rank: int) -> dict[str, Any]:
    return next(entry for entry in manifest["layer_sensitivity"].values() if entry["rank"] == rank)


def put(*path: Any) -> Callable[[dict[str, Any]], None]:
    """An edit: the last of the path is the value that goes to the place before it."""

    def edit(manifest: dict[str, Any]) -> None:
        place: Any = manifest
        for key in path[:-2]:
            place = place[key]
        place[path[-2]] = path[-1]

    return edit


def of_group(rank: int, key: str, change: Callable[[Any], Any]) -> Callable[[dict[str, Any]], None]:
    def edit(manifest: dict[str, Any]) -> None:
        entry = entry_of(manifest, rank)
        entry[key] = change(entry[key])

    return edit


def turned(interval: list[Any]) -> list[Any]:
    return interval[::-1]


def moved(interval: list[float]) -> list[float]:
    return [10 * interval[1], 20 * interval[1]]


def forget_a_layer(manifest: dict[str, Any]) -> None:
    del manifest["layers"][entry_of(manifest, 3)["modules"][0]]


def one_layer_more(manifest: dict[str, Any]) -> None:
    manifest["layers"]["model.extra"] = {"quantized": False, "module_type": "Linear"}


def in_two_groups(manifest: dict[str, Any]) -> None:
    entry_of(manifest, 3)["modules"].append(entry_of(manifest, 4)["modules"][0])


def under_another_name(manifest: dict[str, Any]) -> None:
    entries = manifest["layer_sensitivity"]
    entries["model.other.quant_recipe"] = entries.pop(next(iter(entries)))


def two_of_a_rank(manifest: dict[str, Any]) -> None:
    entry = entry_of(manifest, 4)
    entry["rank"], entry["rank_ci95"] = 3, [3, 3]


def part_larger_than_the_whole(manifest: dict[str, Any]) -> None:
    entry_of(manifest, 3)["calibration_stderr"] = 1e300


NONSENSE: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "negative score": (of_group(3, "scores", lambda each: [-each[0], 0.0]), "a score is negative"),
    "negative importance": (of_group(3, "importance", lambda each: -each), "a score is negative"),
    "a part larger than the whole": (
        part_larger_than_the_whole,
        "calibration_stderr is 1e+300, more than the whole",
    ),
    "negative stderr": (of_group(3, "stderr", lambda each: -each), "stderr"),
    "negative predicted KL": (of_group(3, "predicted_kl", lambda each: -each), "predicted_kl"),
    "negative cost": (of_group(3, "costs", lambda each: [-1.0, each[1]]), "costs"),
    "cost above unquantized": (of_group(3, "costs", lambda each: [each[1] * 2, each[1]]), "more than unquantized"),
    "upside-down interval": (of_group(3, "ci95", turned), "down to"),
    "interval elsewhere": (of_group(3, "ci95", moved), "without its own value"),
    "upside-down KL interval": (of_group(3, "predicted_kl_ci95", turned), "down to"),
    "KL interval elsewhere": (of_group(3, "predicted_kl_ci95", moved), "without its own value"),
    "upside-down rank interval": (of_group(20, "rank_ci95", lambda _: [25, 15]), "down to"),
    "rank outside its interval": (of_group(20, "rank_ci95", lambda _: [1, 2]), "without its own value"),
    "rank interval beyond all": (of_group(20, "rank_ci95", lambda _: [1, 33]), "of 32 groups"),
    "rank of a million": (of_group(32, "rank", lambda _: 10**6), "without its own value 1e+06"),
    "rank zero": (of_group(1, "rank", lambda _: 0), "rank"),
    "two of a rank": (two_of_a_rank, "each once"),
    "band of a million": (of_group(32, "tie_band", lambda _: 10**6), "of 32 groups"),
    "bands out of order": (of_group(1, "tie_band", lambda _: 9), "lower tie_band"),
    "no score": (of_group(3, "scores", lambda _: []), "scores"),
    "three scores": (of_group(3, "scores", lambda each: [*each, 1.0]), "scores"),
    "one format": (of_group(3, "formats", lambda each: each[:1]), "1 formats, 2 scores"),
    "one cost": (of_group(3, "costs", lambda each: each[:1]), "1 costs"),
    "unknown status": (of_group(3, "status", lambda _: "fine"), "status"),
    "disabled with a score": (of_group(3, "status", lambda _: "disabled"), "null"),
    "not measured with an interval": (of_group(3, "status", lambda _: "not_exercised"), "null"),
    "a layer is not there": (forget_a_layer, "but not in `layers`"),
    "a layer in no group": (one_layer_more, "is in no group"),
    "a layer in two groups": (in_two_groups, "is in two groups"),
    "a group under another name": (under_another_name, "not named after the first"),
    "a billion bits": (put("quantization", "effective_bits", 1e9), "effective_bits"),
    "a billion bits found": (put("autoquant_state", "constraints", "effective_bits", 1e9), "from 0 to 16 bits"),
    "negative bits found": (put("autoquant_state", "constraints", "effective_bits", -4), "effective_bits"),
    "a billion bits asked for": (put("scheme", "auto_quantize_bits", 1e9), "auto_quantize_bits"),
    "more scored than calibrated": (put("calibration", "scored_samples", 10**6), "more than calibrated_samples"),
    "more scored tokens": (put("calibration", "scored_tokens", 10**9), "more than calibrated_tokens"),
    "more loss tokens": (put("calibration", "loss_tokens", 10**9), "more than scored_tokens"),
    "no probe": (put("calibration", "probes", 0), "probes"),
    "other samples in statistics": (put("statistics", "samples", 15), "calibration.scored_samples is"),
    "a prefix that shrinks": (put("statistics", "convergence", 0, "samples", 99), "do not grow"),
    "median above maximum": (put("statistics", "convergence", 0, "score", "median", 9.0), "above its maximum"),
    "a level of its own": (put("statistics", "level", 0.5), "level"),
    "upside-down total": (put("predicted_kl", "sum_ci95", [9.0, 1.0]), "down to"),
    "total elsewhere": (put("predicted_kl", "whole_ci95", [8.0, 9.0]), "without its own value"),
    "upside-down measurement": (put("measured", "kl_ci95", [9.0, 1.0]), "measured.kl_ci95 goes from 9 down to"),
    "measured elsewhere": (put("measured", "loss_change_ci95", [8.0, 9.0]), "without its own value"),
    "more than all agree": (put("measured", "top1_agreement", 1.5), "top1_agreement"),
    "measured below zero": (put("measured", "kl", -1.0), "measured.kl"),
    "measured but not scored": (of_group(3, "status", lambda _: "not_exercised"), "null"),
    "an interval of no measurement": (of_group(3, "measured_kl_ci95", lambda _: [1.0, 2.0]), "interval of nothing"),
    "not finite": (of_group(3, "importance", lambda _: float("inf")), "number"),
    "a name with an escape": (put("model", "id", "\x1b[2J"), "cannot be printed"),
    "a layer's name with a line end": (put("layers", "a\nb", {}), "cannot be printed"),
}
"""What no run can have written; the words are of the line that says so."""


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_is_refused_where_it_is_read_and_where_it_would_be_written(name: str, tmp_path: Path) -> None:
    edit, words = NONSENSE[name]
    manifest = read(0)
    edit(manifest)
    file = tmp_path / "nonsense.json"
    file.write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(InputError) as refused:
        read_manifest(file)
    assert str(file) in str(refused.value)
    assert str(refused.value).isprintable()
    assert words in str(refused.value)
    if words != "cannot be printed":
        with pytest.raises(InvalidManifestError):
            check_manifest(manifest)


def wrong_hash(manifest: dict[str, Any]) -> None:
    manifest["quantization"]["config_sha256"] = "0" * 64


def wrong_kl(manifest: dict[str, Any]) -> None:
    entry_of(manifest, 32)["predicted_kl"] *= 1.01


def wrong_split(manifest: dict[str, Any]) -> None:
    entry_of(manifest, 32)["split"]["weights"] *= 1.01


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (wrong_hash, "that of the config is"),
        (wrong_kl, "predicted_kl.sum is "),
        (wrong_split, "the parts of its split"),
    ],
)
def test_a_number_that_no_other_bears_out_is_never_written(edit: Callable[[dict[str, Any]], None], words: str) -> None:
    manifest = read(next(index for index, file in enumerate(FILES) if "afp8" in str(file)))
    edit(manifest)
    with pytest.raises(InvalidManifestError, match=re.escape(words)):
        check_manifest(manifest)


def test_a_key_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "twice.json"
    file.write_text(
        FILES[0].read_text(encoding="utf-8").replace('"rank": 3,', '"rank": 3, "rank": 3,'), encoding="utf-8"
    )
    with pytest.raises(InputError, match="the key 'rank' is given twice"):
        read_manifest(file)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_single_changed_number_is_taken_for_another_runs(data: st.DataObject) -> None:
    """Whatever number of a group changes tenfold or its sign: it is refused, or decides nothing that is checked."""
    manifest = read(0)
    entry = entry_of(manifest, data.draw(st.integers(1, 32)))
    key = data.draw(st.sampled_from(["importance", "predicted_kl", "rank", "scores"]))
    factor = data.draw(st.sampled_from([10, -1, 0.1]))
    entry[key] = [entry[key][0] * factor, entry[key][1]] if key == "scores" else entry[key] * factor
    with pytest.raises(InvalidManifestError):
        check_manifest(manifest)
