from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.manifests import build, group_key

from auto_quantize_model.cases.settings import Band, Tolerances
from auto_quantize_model.comparison.compare import compare
from auto_quantize_model.comparison.wording import describe

if TYPE_CHECKING:
    from auto_quantize_model import Case

BANDS = ("same_environment", "default", "across_devices")


def elsewhere(manifest: dict[str, Any], band: str) -> dict[str, Any]:
    """The same numbers, made where the band holds."""
    result = copy.deepcopy(manifest)
    if band != "same_environment":
        result["environment"]["hardware"] = "another processor"
    if band == "across_devices":
        result["engine"]["device"] = "cuda"
    return result


@pytest.mark.parametrize(
    ("band", "group", "reason"),
    [
        ("same_environment", 1e-4, "the same versions on the same processor"),
        ("default", 0.01, "other environment.hardware"),
        ("across_devices", 0.02, "one is of cpu, one of cuda"),
    ],
)
def test_the_band_follows_from_what_the_machines_have_in_common(
    manifest: dict[str, Any], band: str, group: float, reason: str
) -> None:
    other = elsewhere(manifest, band)
    found = compare(manifest, other, Tolerances()).band
    assert (found.name, found.group, found.total, found.reason) == (band, group, group, reason)
    assert compare(other, manifest, Tolerances()).band.name == band
    moved = copy.deepcopy(other)
    moved["layer_sensitivity"][group_key(0)]["importance"] *= 1.5
    assert any(f"({band}: " in line for line in describe(compare(manifest, moved, Tolerances())))


def test_rounded_products_are_no_reason_for_the_tightest_band(manifest: dict[str, Any]) -> None:
    other = copy.deepcopy(manifest)
    other["engine"] |= {"replay_precision": "tensor_core", "operand_dtype": "bfloat16"}
    for entry in other["layer_sensitivity"].values():
        if entry["importance"] is not None:
            entry["importance"] *= 1.0044
    found = compare(manifest, other, Tolerances())
    assert (found.verdict, found.band.name) == ("within_noise", "default")
    assert found.band.reason == "other engine.replay_precision, engine.operand_dtype"
    assert [cause.what for cause in found.causes] == ["the precision of replay's products"]


@pytest.mark.parametrize("section", ["environment", "engine"])
def test_a_manifest_that_does_not_say_where_it_was_made_gets_the_default_band(
    manifest: dict[str, Any], section: str
) -> None:
    silent = copy.deepcopy(manifest)
    silent[section] = {}
    for pair in ((silent, manifest), (silent, silent)):
        assert compare(*pair, Tolerances()).band.name == "default"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    scores=st.lists(st.floats(min_value=1e-12, max_value=1e6), min_size=3, max_size=7, unique=True),
    signs=st.lists(st.sampled_from([-1e-6, 1e-6]), min_size=7, max_size=7),
    band=st.sampled_from(BANDS),
)
def test_noise_and_drift_are_told_apart_in_every_band(
    case: Case, scores: list[float], signs: list[float], band: str
) -> None:
    manifest = build(case, scores)
    noisy = build(case, [score * (1 + sign) for score, sign in zip(scores, signs, strict=False)])
    assert compare(manifest, elsewhere(noisy, band), Tolerances()).verdict == "within_noise"
    middle = sorted(range(len(scores)), key=scores.__getitem__)[len(scores) // 2]
    drifted = copy.deepcopy(manifest)
    drifted["layer_sensitivity"][group_key(middle)]["importance"] *= 1.03
    comparison = compare(manifest, elsewhere(drifted, band), Tolerances())
    assert comparison.verdict == "drift"
    assert comparison.drifted_groups == (group_key(middle).removesuffix(".quant_recipe"),)


@pytest.mark.parametrize(("factor", "verdicts"), [(1.0005, "dww"), (1.015, "ddw"), (1.025, "ddd")])
def test_the_bands_widen(manifest: dict[str, Any], factor: float, verdicts: str) -> None:
    for measure in ("importance", "total"):
        moved = copy.deepcopy(manifest)
        if measure == "importance":
            moved["layer_sensitivity"][group_key(1)]["importance"] *= factor
        else:
            moved["autoquant_state"]["score"] *= factor
        found = [compare(manifest, elsewhere(moved, band), Tolerances()).verdict[0] for band in BANDS]
        assert "".join(found) == verdicts


def test_a_flat_tolerance_alone_moves_the_bands_that_it_would_cross() -> None:
    wide, tight = Tolerances(group=0.1), Tolerances(total=1e-6)
    assert wide.between_devices == Band(group=0.1, total=0.02)
    assert wide.within_environment == Band(group=1e-4, total=1e-4)
    assert tight.within_environment == Band(group=1e-4, total=1e-6)
    assert tight.between_devices == Band(group=0.02, total=0.02)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"same_environment": {"group": 0.1, "total": 0.01}}, "same_environment.group <= group"),
        ({"across_devices": {"group": 0.1, "total": 0.001}}, "total <= across_devices.total"),
        ({"across_devices": {"group": 0.1}}, "across_devices.total"),
        ({"group": 0.0}, "group"),
    ],
)
def test_bands_that_do_not_widen_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Tolerances.model_validate(values)
