from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from auto_quantize_model import run_cases
from auto_quantize_model.manifest.document import check_manifest, dumps
from auto_quantize_model.manifest.schema import InvalidManifestError

if TYPE_CHECKING:
    from auto_quantize_model import Suite

LEGACY_KEYS = {
    "scheme",
    "model",
    "num_quantized_layers",
    "layers",
    "autoquant_state",
    "layer_sensitivity",
    "sensitivity_ranking",
    "dataset",
}
NEWER_KEYS = {
    "schema_version",
    "case",
    "engine",
    "environment",
    "calibration",
    "quantization",
    "predicted_kl",
    "measured",
    "statistics",
}


@pytest.fixture(scope="module")
def manifest(suite: Suite) -> dict[str, Any]:
    (result,) = run_cases(suite.select("tiny and wint8_aint8 and large"), device="cpu")
    assert result.manifest is not None
    return result.manifest


def test_it_has_the_contracts_keys(manifest: dict[str, Any]) -> None:
    assert set(manifest) == LEGACY_KEYS | NEWER_KEYS
    assert manifest["case"] == {
        "id": "qwen3_vl_tiny-wint8_aint8-large",
        "model": "qwen3_vl_tiny",
        "pair": "wint8_aint8",
        "size": "large",
    }
    assert manifest["scheme"] == {
        "name": "int8_autoquant_lm_default",
        "auto_quantize_bits": 8.0,
        "auto_quantize_method": "gradient",
        "auto_quantize_score_size": 128,
        "coverage_mode": "lm_only",
        "coverage_fraction": 1.0,
        "quant_formats": ["INT8_DEFAULT_CFG"],
    }
    calibration = manifest["calibration"]
    assert (calibration["calibrated_samples"], calibration["scored_samples"]) == (512, 128)
    assert calibration["scored_tokens"] - calibration["loss_tokens"] == 128
    assert calibration["calibrated_tokens"] > calibration["scored_tokens"]


def test_every_layer_is_quantized_but_the_head(manifest: dict[str, Any]) -> None:
    layers = manifest["layers"]
    assert len(layers) == 8 * 7 + 1
    assert manifest["num_quantized_layers"] == 56
    assert [name for name, layer in layers.items() if not layer["quantized"]] == ["lm_head"]
    assert {layer["module_type"] for layer in layers.values()} == {"QuantLinear"}
    entries = manifest["layer_sensitivity"]
    assert sum(len(entry["modules"]) for entry in entries.values()) == len(layers)


def test_its_numbers_agree_with_each_other(manifest: dict[str, Any]) -> None:
    scored = {n: e for n, e in manifest["layer_sensitivity"].items() if e["status"] == "scored"}
    ranking = manifest["sensitivity_ranking"]
    assert [row["name"] for row in ranking] == sorted(scored, key=lambda name: scored[name]["rank"])
    assert [row["importance"] for row in ranking] == sorted(entry["importance"] for entry in scored.values())
    assert manifest["autoquant_state"]["score"] == pytest.approx(sum(e["importance"] for e in scored.values()))
    for entry in scored.values():
        assert entry["scores"] == [entry["importance"], 0.0]
        assert entry["ci95"][0] <= entry["importance"] <= entry["ci95"][1]
        assert entry["rank_ci95"][0] <= entry["rank"] <= entry["rank_ci95"][1]
        assert 0 < entry["stderr"] < entry["importance"]
        assert entry["predicted_kl"] > 0
        assert entry["predicted_kl_ci95"][0] <= entry["predicted_kl"] <= entry["predicted_kl_ci95"][1]
        assert 0 < entry["predicted_kl_stderr"] < entry["predicted_kl"]
    bands = [scored[row["name"]]["tie_band"] for row in ranking]
    assert bands == sorted(bands)
    assert set(bands) == set(range(1, bands[-1] + 1))


def test_it_says_whether_the_captions_were_enough(manifest: dict[str, Any]) -> None:
    statistics = manifest["statistics"]
    assert (statistics["level"], statistics["samples"]) == (0.95, manifest["calibration"]["scored_samples"])
    assert [row["samples"] for row in statistics["convergence"]] == [8, 16, 32, 64, 128]
    off = [row["predicted_kl"]["median"] for row in statistics["convergence"]]
    assert off == sorted(off, reverse=True)
    top = statistics["top_ten"]
    assert (top["captions_needed"] <= 128) == top["settled"]
    ranking = [row["name"].removesuffix(".quant_recipe") for row in manifest["sensitivity_ranking"]]
    inside, outside = top["between"]
    assert inside in ranking[-10:]
    assert outside in ranking[:-10]


def test_it_is_valid_and_lacking_or_adding_a_key_is_not(manifest: dict[str, Any]) -> None:
    check_manifest(manifest)
    for key in manifest:
        lacking = {name: value for name, value in manifest.items() if name != key}
        with pytest.raises(InvalidManifestError):
            check_manifest(lacking)
    with pytest.raises(InvalidManifestError, match="unexpected"):
        check_manifest({**manifest, "time": "now"})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("model", "id"), "/home/me/model"),
        (("case", "size"), "../huge"),
        (("case", "size"), "a-b"),
        (("dataset", "form"), "parquet"),
        (("quantization", "config_sha256"), "abc"),
        (("layer_sensitivity", "lm_head.quant_recipe", "importance"), 0.0),
        (("layer_sensitivity", "lm_head.quant_recipe", "status"), "fine"),
        (("autoquant_state", "score"), "much"),
        (("engine", "device"), "cuda:0"),
        (("statistics", "level"), 95),
        (("statistics", "top_ten", "captions_needed"), "many"),
        (("layer_sensitivity", "lm_head.quant_recipe", "tie_band"), 0),
    ],
)
def test_a_wrong_value_is_refused(manifest: dict[str, Any], path: tuple[str, ...], value: object) -> None:
    broken = copy.deepcopy(manifest)
    inner = broken
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(InvalidManifestError, match=path[0]):
        check_manifest(broken)


def test_numbers_that_json_does_not_have_are_never_written() -> None:
    with pytest.raises(ValueError, match="JSON"):
        dumps({"score": float("nan")})
