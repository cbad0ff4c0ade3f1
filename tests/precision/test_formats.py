from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from modelopt.torch.quantization import config as presets
from tests.places import SUITE

from auto_quantize_model import CaseError, load_suite
from auto_quantize_model.cases.settings import FormatSettings
from auto_quantize_model.errors import NotCoveredError
from auto_quantize_model.precision.formats import LINEAR, ResolvedFormat, resolve_format

if TYPE_CHECKING:
    from auto_quantize_model import Suite

FP8 = {"num_bits": [4, 3]}
INT8 = {"num_bits": 8}
NVFP4 = {"num_bits": [2, 1], "block_sizes": {"-1": 16, "type": "dynamic", "scale_bits": [4, 3]}}
MXFP4 = {"num_bits": [2, 1], "block_sizes": {"-1": 32, "type": "dynamic", "scale_bits": [8, 0]}}
MEANING: dict[str, tuple[dict[str, Any], dict[str, Any] | None, str | None, float]] = {
    "wfp4_afp4": (NVFP4, NVFP4, "max", 4.5),
    "wfp4_afp8": (NVFP4, FP8, "max", 4.0),
    "wfp4_afp16": (NVFP4, None, "max", 4.5),
    "wfp8_afp8": (FP8, FP8, "max", 8.0),
    "wfp8_afp16": (FP8, None, "max", 8.0),
    "wint8_afp8": (INT8, FP8, "max", 8.0),
    "wint8_afp16": (INT8, None, "max", 8.0),
    "wint8_aint8": (INT8, INT8, "max", 8.0),
    "wmxfp4_afp8": (MXFP4, FP8, None, 4.0),
    "wmxfp4_afp16": (MXFP4, None, None, 4.0),
}


def format_of(suite: Suite, pair: str) -> FormatSettings:
    return next(case.pair.format for case in suite.cases if case.pair.name == pair)


@pytest.mark.parametrize("pair", MEANING)
def test_a_pair_means_what_the_design_says(suite: Suite, pair: str) -> None:
    weight, inputs, algorithm, bits = MEANING[pair]
    resolved = resolve_format(format_of(suite, pair))
    entries = {entry["quantizer_name"]: entry for entry in reversed(resolved.resolved["quant_cfg"])}
    assert weight.items() <= entries["*weight_quantizer"]["cfg"].items()
    if inputs is None:
        assert not entries.get("*input_quantizer", {"enable": False})["enable"]
    else:
        assert inputs.items() <= entries["*input_quantizer"]["cfg"].items()
    assert (resolved.algorithm, resolved.effective_bits) == (algorithm, bits)


def test_pairs_have_hashes_of_their_own(suite: Suite) -> None:
    hashes = {resolve_format(case.pair.format).sha256 for case in suite.cases}
    assert len(hashes) == len(MEANING)


def test_the_hash_is_that_of_the_sorted_text() -> None:
    """Anyone can check it from a manifest alone, in whatever order its keys are read."""
    expected = hashlib.sha256(b'{"algorithm":"max","quant_cfg":[{"cfg":{"axis":0,"num_bits":8},"enable":true}]}')
    ordered = {"algorithm": "max", "quant_cfg": [{"cfg": {"axis": 0, "num_bits": 8}, "enable": True}]}
    turned = {"quant_cfg": [{"enable": True, "cfg": {"num_bits": 8, "axis": 0}}], "algorithm": "max"}
    for resolved in (ordered, turned):
        assert ResolvedFormat("X", {}, resolved, 8.0).sha256 == expected.hexdigest()


@pytest.mark.parametrize("pair", MEANING)
def test_weights_are_calibrated_where_the_format_calibrates(suite: Suite, pair: str) -> None:
    import torch

    from auto_quantize_model.precision.quantizers import build_quantizers

    calibrates = MEANING[pair][2] is not None
    quantizers = build_quantizers(resolve_format(format_of(suite, pair)), torch.device("cpu"))
    assert quantizers.calibrated == calibrates
    had_maximum: list[bool] = []
    # Copied with the quantizer, it still fills this list.
    quantizers.weight.register_forward_pre_hook(lambda module, _: had_maximum.append(module.amax is not None))
    quantizers.quantize_weight(torch.linspace(-1, 1, 64).reshape(2, 32))
    assert had_maximum == ([False, True] if calibrates else [False])


def test_the_cpu_backend_is_no_part_of_the_meaning(suite: Suite) -> None:
    import torch

    from auto_quantize_model.precision.quantizers import modelopt_config

    resolved = resolve_format(format_of(suite, "wfp4_afp16"))
    assert "backend" not in str(resolved.resolved)
    given = modelopt_config(resolved, torch.device("cpu"))
    weight = next(entry for entry in given["quant_cfg"] if entry["quantizer_name"] == "*weight_quantizer")
    assert weight["cfg"]["backend"] == "auto_quantize_model_nvfp4"
    assert "backend" not in str(modelopt_config(resolved, torch.device("cuda")))


def test_an_unknown_preset_offers_the_nearest() -> None:
    with pytest.raises(CaseError, match=r"'FP8_DEFALT_CFG' is not in the installed ModelOpt; did you mean 'FP8_"):
        resolve_format(FormatSettings(name="X", preset="FP8_DEFALT_CFG"))


def test_a_preset_that_quantizes_no_weights_is_refused() -> None:
    with pytest.raises(CaseError, match="format 'X' does not quantize weights"):
        resolve_format(FormatSettings(name="X", preset="FP8_KV_CFG"))


def test_a_config_that_modelopt_refuses_is_one_line() -> None:
    changes = {"*weight_quantizer": {"cfg": {"num_bits": 8, "axs": 0}}}
    settings = FormatSettings.model_validate({"name": "X", "preset": "INT8_DEFAULT_CFG", "changes": changes})
    with pytest.raises(CaseError, match=r"^format 'X' is refused by ModelOpt: .*axs.*$") as caught:
        resolve_format(settings)
    assert "\n" not in str(caught.value)


def naming(*entries: dict[str, Any]) -> FormatSettings:
    quant_cfg = [{"quantizer_name": "*", "enable": False}, *entries]
    return FormatSettings(name="X", config={"quant_cfg": quant_cfg, "algorithm": "max"})


def rule(pattern: str, bits: int = 8) -> dict[str, Any]:
    return {"quantizer_name": f"{pattern}weight_quantizer", "cfg": {"num_bits": bits, "axis": 0}}


@pytest.mark.parametrize("rules", [[rule("*mlp*")], [rule("*gate_proj*"), rule("*up_proj*"), rule("*down_proj*")]])
def test_a_format_may_name_modules_that_it_quantizes_alike(rules: list[dict[str, Any]]) -> None:
    resolved = resolve_format(naming(*rules))
    assert resolved.effective_bits == 8
    mlp = [f"model.layers.0.mlp.{name}" for name in ("gate_proj", "up_proj")]
    assert resolved.quantizes(mlp, [LINEAR, LINEAR])
    assert not resolved.quantizes(["model.layers.0.self_attn.q_proj"], [LINEAR])
    assert not resolved.quantizes([mlp[0], "model.layers.0.self_attn.q_proj"], [LINEAR, LINEAR])
    # Stacked weights have quantizers of their own, named after what the weights are of.
    assert resolved.quantizes(["model.layers.0.mlp.experts"], ["QuantQwen3MoeExperts"])


@pytest.mark.parametrize("bits", [(8, 4), (4, 8)])
def test_a_format_that_quantizes_modules_in_different_ways_is_refused(bits: tuple[int, int]) -> None:
    with pytest.raises(CaseError, match="format 'X' quantizes several kinds of modules in different ways"):
        resolve_format(naming(rule("*mlp*", bits[0]), rule("*self_attn*", bits[1])))


def test_what_needs_the_models_sequence_is_refused_early() -> None:
    import torch

    from auto_quantize_model.precision.quantizers import build_quantizers

    settings = FormatSettings(
        name="X",
        config={"quant_cfg": [{"quantizer_name": "*weight_quantizer", "cfg": {"num_bits": 4}}], "algorithm": "gptq"},
    )
    with pytest.raises(NotCoveredError, match="calibrated by 'gptq', which needs the model's layers in sequence"):
        build_quantizers(resolve_format(settings), torch.device("cpu"))


@pytest.mark.parametrize(
    "changes",
    [
        {"*input_quantizer": {"cfg": {"num_bits": [4, 3], "type": "dynamic"}}},
        {"*input_quantizer": {"cfg": {"num_bits": [4, 3], "constant_amax": 1.5}}},
        {"*input_quantizer": {"cfg": {"num_bits": 8, "calibrator": "histogram"}}},
        {"*input_quantizer": {"cfg": {"num_bits": 8, "axis": -1}}},
        {"*input_quantizer": {"cfg": {"num_bits": 8, "block_sizes": {-1: 16}}}},
        {"*weight_quantizer": {"cfg": {"num_bits": [2, 1], "block_sizes": {-1: 16, "scale_bits": [4, 3]}}}},
    ],
)
def test_what_is_no_product_of_two_tensors_runs_in_modelopts_own_layers(changes: dict[str, Any]) -> None:
    import torch

    from auto_quantize_model.precision.quantizers import build_quantizers

    settings = FormatSettings.model_validate({"name": "X", "preset": "FP8_DEFAULT_CFG", "changes": changes})
    plain = build_quantizers(resolve_format(FormatSettings(name="X", preset="FP8_DEFAULT_CFG")), torch.device("cpu"))
    changed = build_quantizers(resolve_format(settings), torch.device("cpu"))
    assert (plain.by_module, changed.by_module) == (False, True)


def test_formats_that_quantize_weights_alike_share_them(suite: Suite) -> None:
    import torch

    from auto_quantize_model.precision.quantizers import build_quantizers

    keys = {
        pair: build_quantizers(resolve_format(format_of(suite, pair)), torch.device("cpu")).weight_key
        for pair in MEANING
    }
    assert keys["wfp4_afp8"] == keys["wfp4_afp16"]
    assert keys["wint8_afp8"] == keys["wint8_afp16"] == keys["wint8_aint8"]
    assert len(set(keys.values())) == 4


@pytest.mark.parametrize("pair", MEANING)
def test_the_config_of_a_manifest_means_what_the_pair_meant(suite: Suite, pair: str) -> None:
    import torch

    from auto_quantize_model.precision.quantizers import build_quantizers

    usual = resolve_format(format_of(suite, pair))
    config = json.loads(json.dumps(usual.resolved))
    again = resolve_format(FormatSettings(name=usual.name, config=config))
    assert (again.resolved, again.sha256, again.effective_bits) == (usual.resolved, usual.sha256, usual.effective_bits)
    cpu = torch.device("cpu")
    assert build_quantizers(again, cpu).weight_key == build_quantizers(usual, cpu).weight_key
    assert build_quantizers(again, cpu).input_key == build_quantizers(usual, cpu).input_key


@pytest.mark.parametrize("config", [{}, {"quant_cfg": {"*weight_quantizer": {}}}, {"quant_cfg": [{"enable": False}]}])
def test_a_config_without_entries_is_one_line(config: dict[str, Any]) -> None:
    with pytest.raises(CaseError, match="format 'X': its config must have 'quant_cfg'"):
        resolve_format(FormatSettings(name="X", config=config))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "give either 'preset' or 'config'"),
        ({"preset": "FP8_DEFAULT_CFG", "config": {"quant_cfg": []}}, "give either 'preset' or 'config'"),
        ({"config": {"quant_cfg": []}, "changes": {"*input_quantizer": {"enable": False}}}, "go with a 'preset'"),
    ],
)
def test_a_format_is_a_preset_or_a_config(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FormatSettings.model_validate({"name": "X", **settings})


def test_a_pair_declared_in_yaml_alone_resolves() -> None:
    changes = "quant_pair.format={name: OWN, preset: NVFP4_DEFAULT_CFG}"
    case = load_suite(SUITE, overrides=[changes]).cases[0]
    assert resolve_format(case.pair.format).label == "OWN(effective-bits: 4.5)"


@pytest.mark.parametrize("preset", ["W4A8_NVFP4_FP8_CFG", "NVFP4_MLP_WEIGHT_ONLY_CFG"])
def test_blocks_of_nvfp4_are_those_that_the_kernel_takes(preset: str) -> None:
    assert "32" in str([each.get("cfg", {}).get("block_sizes") for each in getattr(presets, preset)["quant_cfg"]])
    resolved = resolve_format(FormatSettings(name="X", preset=preset))
    stages = [each["cfg"] for each in resolved.resolved["quant_cfg"] if each.get("cfg")]
    sizes = [stage["block_sizes"] for stage in stages if stage.get("block_sizes")]
    assert {size.get("-1", size.get(-1)) for size in sizes} == {16}
