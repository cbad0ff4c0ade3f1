from __future__ import annotations

import copy
from typing import Any

import pytest

from auto_quantize_model.manifest.older import canonical_layer, implied_status, is_vision, normalised, same_model


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("model.language_model.layers.3.mlp.down_proj", "model.language_model.layers.3.mlp.down_proj"),
        ("language_model.layers.3.mlp.down_proj", "model.language_model.layers.3.mlp.down_proj"),
        ("language_model.model.layers.3.mlp.down_proj", "model.language_model.layers.3.mlp.down_proj"),
        ("layers.3.mlp.down_proj.quant_recipe", "model.language_model.layers.3.mlp.down_proj"),
        ("model.layers.3.mlp.down_proj", "model.language_model.layers.3.mlp.down_proj"),
        ("model.visual.blocks.0.attn.qkv", "model.visual.blocks.0.attn.qkv"),
        ("visual.blocks.0.attn.qkv", "model.visual.blocks.0.attn.qkv"),
        ("blocks.0.attn.qkv", "model.visual.blocks.0.attn.qkv"),
        ("vision_tower.layers.0.attn", "model.vision_tower.layers.0.attn"),
        ("lm_head.quant_recipe", "lm_head"),
        ("language_model.lm_head", "lm_head"),
        ("model", "model"),
        ("", ""),
    ],
)
def test_every_style_leads_to_the_full_path(name: str, path: str) -> None:
    assert canonical_layer(name) == path
    assert canonical_layer(path) == path
    assert is_vision(name) == ("vis" in path)


@pytest.mark.parametrize(
    ("name", "entry", "status"),
    [
        ("visual.blocks.0.attn.qkv", {"importance": 0.0}, "not_exercised"),
        ("model.visual.merger.linear_fc1", {"importance": 0, "formats": ["NONE"]}, "not_exercised"),
        ("visual.blocks.0.attn.qkv", {"importance": 0.5}, "scored"),
        ("visual.blocks.0.attn.qkv", {}, None),
        ("layers.0.mlp.down_proj", {"importance": 0.0, "formats": ["FP8(effective-bits: 8.0)", "NONE"]}, None),
        ("layers.0.mlp.down_proj", {"importance": 0.0}, None),
        ("lm_head", {"importance": 0.0, "formats": ["NONE(effective-bits: 16.0)"]}, "disabled"),
        ("lm_head", {"importance": 0.1, "formats": ["FP8"]}, "scored"),
    ],
)
def test_a_status_is_only_what_the_entry_implies(name: str, entry: dict[str, Any], status: str | None) -> None:
    assert implied_status(name, entry) == status


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("/data/models/qwen3_vl_4b_instruct/checkpoints/Qwen3-VL-4B-Instruct", "Qwen/Qwen3-VL-4B-Instruct", True),
        ("/data/models/qwen3_vl_4b_instruct/checkpoint/", "qwen3_vl_4b_instruct", True),
        ("/x/models--Qwen--Qwen3-VL-4B-Instruct/snapshots/ab12", "Qwen/Qwen3-VL-4B-Instruct", True),
        ("C:\\models\\Qwen3-VL-4B-Instruct", "qwen3_vl_4b_instruct", True),
        ("Qwen/Qwen3-VL-8B-Instruct", "Qwen/Qwen3-VL-4B-Instruct", False),
        ("/", "", False),
    ],
)
def test_a_model_is_known_by_its_name_wherever_it_lay(one: str, other: str, *, same: bool) -> None:
    assert same_model(one, other) == same


def older() -> dict[str, Any]:
    return {
        "scheme": {"name": "x", "quant_formats": ["FP8_WEIGHT_ONLY_CFG"]},
        "model": {"id": "/data/checkpoints/Some-Model"},
        "dataset": {"captions_path": "/data/captions/small.txt", "size": "small"},
        "layers": {"layers.0.mlp.up_proj": {"quantized": True}},
        "layer_sensitivity": {
            "layers.0.mlp.up_proj": {
                "formats": ["CUSTOM_0(effective-bits: 8.0)", "CUSTOM_7(effective-bits: 4.0)", "NONE"],
                "importance": 1,
            },
            "visual.blocks.0.attn.qkv.quant_recipe": {"importance": 0.0, "rank": 1, "scores": [0.0]},
        },
    }


def test_an_older_manifest_in_newer_terms_says_no_more_than_before() -> None:
    manifest = older()
    found = normalised(manifest)
    assert manifest == older()
    assert found == {
        "scheme": {"name": "x", "quant_formats": ["FP8_WEIGHT_ONLY_CFG"]},
        "model": {"id": "Some-Model"},
        "dataset": {"captions_path": "small.txt", "size": "small"},
        "layers": {"model.language_model.layers.0.mlp.up_proj": {"quantized": True}},
        "layer_sensitivity": {
            "model.language_model.layers.0.mlp.up_proj.quant_recipe": {
                "formats": ["FP8_WEIGHT_ONLY_CFG(effective-bits: 8.0)", "CUSTOM_7(effective-bits: 4.0)", "NONE"],
                "importance": 1,
                "status": "scored",
            },
            "model.visual.blocks.0.attn.qkv.quant_recipe": {"status": "not_exercised"},
        },
    }


def test_a_newer_manifest_stays_as_it_is() -> None:
    newer = {**older(), "schema_version": 1}
    assert normalised(newer) == newer


def test_no_group_is_lost_where_two_styles_meet() -> None:
    manifest = older()
    entries = manifest["layer_sensitivity"]
    entries["model.layers.0.mlp.up_proj"] = copy.deepcopy(entries["layers.0.mlp.up_proj"])
    assert len(normalised(manifest)["layer_sensitivity"]) == 3
