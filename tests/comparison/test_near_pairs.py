"""Committed baselines of pairs that order their groups almost alike: magnitudes and configs must tell them apart."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from tests.places import TINY

from auto_quantize_model.cases.settings import Tolerances
from auto_quantize_model.comparison.compare import compare
from auto_quantize_model.comparison.wording import describe, summary
from auto_quantize_model.manifest.document import read_manifest

NEAR = [("wfp8_afp16", "wfp8_afp8"), ("wfp4_afp8", "wfp4_afp16"), ("wmxfp4_afp8", "wmxfp4_afp16")]
SCORES = ("importance", "scores", "rank", "predicted_kl", "stderr", "ci95", "rank_ci95")


def committed(pair: str, size: str) -> dict[str, Any]:
    (file,) = TINY.glob(f"layer-analysis/*/*_autoquant_{pair}_lm_{size}/*_quant_manifest.json")
    return read_manifest(file)


def with_scores_of(manifest: dict[str, Any], other: dict[str, Any], keys: tuple[str, ...] = SCORES) -> dict[str, Any]:
    result = copy.deepcopy(manifest)
    for name, entry in result["layer_sensitivity"].items():
        entry.update({key: other["layer_sensitivity"][name][key] for key in keys})
    result["sensitivity_ranking"] = other["sensitivity_ranking"]
    result["autoquant_state"]["score"] = other["autoquant_state"]["score"]
    return result


@pytest.mark.parametrize("pair", [*NEAR, *(pair[::-1] for pair in NEAR)], ids="-for-".join)
@pytest.mark.parametrize("size", ["small", "medium", "large"])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_scores_of_a_near_pair_are_caught_by_their_magnitude(pair: tuple[str, str], size: str, device: str) -> None:
    theirs, mine = committed(pair[0], size), committed(pair[1], size)
    mine["engine"]["device"] = device
    comparison = compare(with_scores_of(mine, theirs), mine, Tolerances())
    if device == "cuda":
        other = with_scores_of(committed(pair[1], size), theirs)
        comparison = compare(other, mine, Tolerances())
        assert comparison.band.name == "across_devices"
    assert comparison.verdict == "drift"
    assert len(comparison.drifted_groups) == 32
    assert "the magnitude of 32 groups beyond the tolerance" in summary(comparison)
    assert not any("rank" in line for line in describe(comparison))


@pytest.mark.parametrize("pair", NEAR, ids="-for-".join)
def test_a_near_pairs_config_is_named(pair: tuple[str, str]) -> None:
    theirs, mine = committed(pair[0], "small"), committed(pair[1], "small")
    swapped = with_scores_of(mine, theirs) | {"quantization": theirs["quantization"]}
    for baseline in (theirs, swapped):
        comparison = compare(baseline, mine, Tolerances())
        assert comparison.verdict == "incomparable"
        assert comparison.causes[0].what == "the pair's resolved config"
        assert not any(each.key.startswith("layer_sensitivity") for each in comparison.causes[0].differences)
        assert "the pair's resolved config (quantization.config_sha256: " in summary(comparison)
        assert not any("rank" in line for line in describe(comparison))


def test_scores_that_only_one_of_their_two_places_holds_are_caught() -> None:
    theirs, mine = committed("wfp4_afp8", "small"), committed("wfp4_afp16", "small")
    for keys in (("scores",), ("importance",), ("predicted_kl",)):
        swapped = with_scores_of(mine, theirs, keys)
        swapped["autoquant_state"]["score"] = mine["autoquant_state"]["score"]
        comparison = compare(swapped, mine, Tolerances())
        assert comparison.verdict == "drift"
        assert {change.measure for change in comparison.groups if not change.within} == set(keys)


def test_other_ranks_alone_are_no_drift() -> None:
    manifest = committed("wfp8_afp8", "small")
    shuffled = copy.deepcopy(manifest)
    entries = [entry for entry in shuffled["layer_sensitivity"].values() if entry["rank"] is not None]
    for entry in entries:
        entry["rank"] = len(entries) + 1 - entry["rank"]
    shuffled["sensitivity_ranking"].reverse()
    assert compare(manifest, shuffled, Tolerances()).verdict == "identical"
