"""Older manifests in comparisons: with each other, and with newer ones of the same model."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.places import LEGACY

from auto_quantize_model.cases.settings import Tolerances
from auto_quantize_model.comparison.compare import compare
from auto_quantize_model.comparison.wording import describe
from auto_quantize_model.manifest.document import read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable

STYLES: dict[str, Callable[[str], str]] = {
    "full": lambda name: name,
    "without_model": lambda name: name.removeprefix("model."),
    "layers": lambda name: name.removeprefix("model.language_model."),
}
VISION = "model.visual.blocks.0.attn.qkv"


def aged(manifest: dict[str, Any], style: str = "layers", *, vision: bool = False) -> dict[str, Any]:
    """What an older tool would have written of the same run."""
    rename = STYLES[style]
    entries = {
        rename(name): {key: entry[key] for key in ("formats", "scores", "costs", "importance", "rank")}
        for name, entry in manifest["layer_sensitivity"].items()
        if entry["status"] == "scored"
    }
    if vision:
        zero = {"formats": ["FP8(effective-bits: 8.0)"], "scores": [0.0], "costs": [9.0], "importance": 0.0, "rank": 1}
        entries = {f"{rename(VISION)}.quant_recipe": zero, **entries}
    layers = {rename(name): layer for name, layer in manifest["layers"].items() if name != "lm_head"}
    if vision:
        layers[rename(VISION)] = {"quantized": True, "module_type": "QuantLinear"}
    return copy.deepcopy(
        {
            "scheme": manifest["scheme"],
            "model": {"id": f"/data/models/{manifest['model']['id']}/checkpoint"},
            "num_quantized_layers": len(layers),
            "layers": layers,
            "autoquant_state": {key: manifest["autoquant_state"][key] for key in ("keys", "constraints", "score")},
            "layer_sensitivity": entries,
            "sensitivity_ranking": [],
        }
    )


def moved(manifest: dict[str, Any], factor: float) -> dict[str, Any]:
    result = copy.deepcopy(manifest)
    entry = next(each for each in result["layer_sensitivity"].values() if each["importance"])
    entry["importance"] *= factor
    entry["scores"][0] *= factor
    return result


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("vision", [False, True])
@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "identical"), (1.001, "within_noise"), (1.03, "drift")])
def test_an_older_manifest_is_compared_by_what_both_state(
    manifest: dict[str, Any], style: str, factor: float, verdict: str, *, vision: bool
) -> None:
    older = aged(manifest, style, vision=vision)
    for pair in ((older, moved(manifest, factor)), (moved(manifest, factor), older)):
        comparison = compare(*pair, Tolerances())
        assert comparison.verdict == verdict
        assert comparison.differences == ()
        assert len(comparison.groups) == 4
        assert set(comparison.unmeasured) == ({"lm_head", VISION} if vision else {"lm_head"})
        lines = list(describe(comparison))
        (line,) = [each for each in lines if "only one of the two states it" in each]
        assert "case, " in line
        assert line.count("modules") == 1
        assert not any(VISION in each for each in lines if "not measured" not in each)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("other", STYLES)
def test_two_older_manifests_meet_whatever_their_styles(manifest: dict[str, Any], style: str, other: str) -> None:
    one, two = aged(manifest, style, vision=True), aged(manifest, other)
    assert compare(one, one, Tolerances()).verdict == "identical"
    comparison = compare(one, two, Tolerances())
    assert (comparison.verdict, comparison.unmeasured) == ("identical", (VISION,))
    assert comparison.band.name == "default"
    comparison = compare(one, moved(two, 1.03), Tolerances())
    assert comparison.verdict == "drift"
    assert comparison.drifted_groups == ("model.language_model.layers.0.mlp.gate_proj",)


def test_a_group_named_after_another_member_is_the_same_group(manifest: dict[str, Any]) -> None:
    older = aged(manifest)
    older["layer_sensitivity"] = {
        name.replace("gate_proj", "up_proj"): entry for name, entry in older["layer_sensitivity"].items()
    }
    for other in (manifest, aged(manifest)):
        comparison = compare(older, other, Tolerances())
        assert comparison.verdict == "identical"
        assert len(comparison.groups) == 4
        # Both ways round they have the same names.
        names = {each.group for each in comparison.groups}
        assert names == {each.group for each in compare(other, older, Tolerances()).groups}
        assert not any("up_proj" in name for name in names)


def test_a_model_is_the_same_wherever_it_lay(manifest: dict[str, Any]) -> None:
    older = aged(manifest)
    older["model"]["id"] = "/data/small/checkpoints/Some-Model"
    manifest["model"]["id"] = "Some/Some-Model"
    assert compare(older, manifest, Tolerances()).verdict == "identical"
    manifest["model"]["id"] = "Some/Another-Model"
    assert compare(older, manifest, Tolerances()).verdict == "incomparable"


def test_a_measured_group_that_only_one_has_decides(manifest: dict[str, Any]) -> None:
    older = aged(manifest)
    older["layer_sensitivity"].popitem()
    comparison = compare(older, manifest, Tolerances())
    assert comparison.verdict == "incomparable"
    assert [cause.what for cause in comparison.causes] == ["the layers that it covers"]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda older: older["scheme"].update(name="wfp8_afp16_autoquant_lm"), "the pair's resolved config"),
        (lambda older: older["model"].update(id="/data/other_model"), "the checkpoint"),
        (lambda older: older.update(calibration={"batch_size": 4}), "the batch size"),
        (lambda older: older.update(dataset={"seq_len": 64}), "the sequence length"),
    ],
)
def test_what_an_older_manifest_does_state_still_decides(
    manifest: dict[str, Any], change: Callable[[dict[str, Any]], None], what: str
) -> None:
    older = aged(manifest)
    change(older)
    comparison = compare(older, manifest, Tolerances())
    assert comparison.verdict == "incomparable"
    assert [cause.what for cause in comparison.causes] == [what]


def test_a_custom_format_is_the_one_that_the_scheme_names(manifest: dict[str, Any]) -> None:
    older = aged(manifest)
    for entry in older["layer_sensitivity"].values():
        entry["formats"][0] = entry["formats"][0].replace("FP8_DEFAULT_CFG", "CUSTOM_0")
    assert compare(older, manifest, Tolerances()).verdict == "identical"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=80)
@given(data=st.data())
def test_no_lacking_key_of_an_older_manifest_is_a_crash_or_a_difference(manifest: dict[str, Any], data: Any) -> None:
    older = aged(manifest, data.draw(st.sampled_from(sorted(STYLES))), vision=data.draw(st.booleans()))
    for part in (older, older["scheme"], older["autoquant_state"], *older["layer_sensitivity"].values()):
        for key in data.draw(st.sets(st.sampled_from(sorted(part)), max_size=2)) - {"layer_sensitivity", "importance"}:
            part.pop(key)
    forth, back = compare(older, manifest, Tolerances()), compare(manifest, older, Tolerances())
    assert forth.verdict == back.verdict == compare(older, older, Tolerances()).verdict == "identical"
    assert list(describe(forth))


@pytest.mark.skipif(not LEGACY.is_dir(), reason="needs the older tool's published results")
def test_published_results_are_compared() -> None:
    found = {file.parent.name: read_manifest(file) for file in sorted(LEGACY.glob("*/*manifest.json"))}
    for one in found.values():
        assert compare(one, one, Tolerances()).verdict == "identical"
        for other in found.values():
            comparison = compare(one, other, Tolerances())
            assert comparison.verdict == ("identical" if one is other else "incomparable")
            assert {change.group.split(".")[1] for change in comparison.groups if "." in change.group} == {
                "language_model"
            }
            assert len(comparison.groups) >= 144


def test_a_layer_that_stands_twice_in_two_styles_is_still_identical_to_itself() -> None:
    entry = {"formats": ["F(effective-bits: 8.0)"], "scores": [1.0], "costs": [1.0], "importance": 1.0, "rank": 1}
    names = ("layers.4.mlp.down_proj", "model.language_model.layers.4.mlp.down_proj")
    twice = {"layer_sensitivity": {f"{name}.quant_recipe": entry for name in names}}
    once = {"layer_sensitivity": {f"{names[0]}.quant_recipe": entry}}
    assert compare(twice, twice, Tolerances()).verdict == "identical"
    assert compare(twice, once, Tolerances()).verdict == compare(once, twice, Tolerances()).verdict


def test_a_score_that_only_one_older_manifest_has_decides() -> None:
    entry = {"formats": ["F(effective-bits: 8.0)"], "scores": [1.0], "costs": [1.0], "importance": 1.0, "rank": 1}
    name = "layers.4.mlp.down_proj.quant_recipe"
    whole = {"layer_sensitivity": {name: entry}}
    lacking = {"layer_sensitivity": {name: {key: value for key, value in entry.items() if key != "importance"}}}
    assert compare(whole, lacking, Tolerances()).verdict == "drift"
    assert compare(lacking, whole, Tolerances()).verdict == "drift"
