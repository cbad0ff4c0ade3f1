"""The calibration's share in what is sure: against scores by the other maximum, and where it is stated."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from tests.places import SUITE

from auto_quantize_model import load_suite, run_cases
from auto_quantize_model.engine.replay import input_maxima, variants
from auto_quantize_model.reports.markdown import render

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = "calibration_stderr"


def entries_of(expression: str) -> dict[str, dict[str, Mapping[str, Any]]]:
    """By pair, what the manifests say of the groups that were measured."""
    manifests = [result.manifest for result in run_cases(load_suite(SUITE).select(expression), device="cpu")]
    return {
        manifest["case"]["pair"]: {
            name: entry for name, entry in manifest["layer_sensitivity"].items() if entry["importance"] is not None
        }
        for manifest in manifests
        if manifest is not None
    }


def test_it_is_what_the_other_maximum_would_change(monkeypatch: pytest.MonkeyPatch) -> None:
    for room in (variants, input_maxima):
        monkeypatch.setattr(room, "recalibrated", lambda size: size.scored)
    expression = "tiny and medium and (wint8_aint8 or wfp4_afp8)"
    found = entries_of(expression)
    monkeypatch.setattr(variants, "input_maximum", variants.other_input_maximum)
    by_the_other = entries_of(expression)
    for pair, entries in found.items():
        assert len(entries) == 32
        assert any(entry[KEY] for entry in entries.values())
        for name, entry in entries.items():
            moved = by_the_other[pair][name]["split"]["activations"] - entry["split"]["activations"]
            spread = math.log1p(abs(moved) / entry["importance"])
            assert entry[KEY] == pytest.approx(entry["importance"] * spread, rel=1e-4, abs=1e-6 * entry["importance"])


def test_some_of_the_batches_tell_as_much_as_all(monkeypatch: pytest.MonkeyPatch) -> None:
    (some,) = entries_of("tiny and medium and wint8_aint8").values()
    for room in (variants, input_maxima):
        monkeypatch.setattr(room, "recalibrated", lambda size: size.scored)
    (every,) = entries_of("tiny and medium and wint8_aint8").values()
    for name, entry in every.items():
        assert some[name][KEY] == pytest.approx(entry[KEY], rel=0.2, abs=0.07 * entry["importance"])


def test_it_is_stated_where_inputs_are_calibrated_alone() -> None:
    found = entries_of("tiny and small and (wint8_afp16 or wint8_aint8 or wfp8_afp8)")
    assert not any(KEY in entry for entry in found.pop("wint8_afp16").values())
    for entries in found.values():
        for entry in entries.values():
            assert 0 <= entry[KEY] <= entry["stderr"] * (1 + 1e-9)
            low, high = entry["ci95"]
            assert high >= entry["importance"] + 1.9 * entry[KEY] or low == 0


def test_one_batch_leaves_it_unknown_and_the_report_says_so() -> None:
    suite = load_suite(SUITE, overrides=["autoquant.batch_size=16"])
    (result,) = run_cases(suite.select("tiny and small and wint8_aint8"), device="cpu")
    assert result.manifest is not None
    measured = [each for each in result.manifest["layer_sensitivity"].values() if each["importance"] is not None]
    assert all(entry[KEY] is None for entry in measured)
    assert f"not known how much the scores of {len(measured)} of {len(measured)} groups depend" in render(
        result.manifest
    )
