"""What runtimes are told of models of images and text: in the checkpoint's own names, and what is beside the layers."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import torch
from compressed_tensors.quantization import QuantizationConfig, apply_quantization_config
from modelopt.torch.export import export_hf_checkpoint
from safetensors import safe_open
from tests.places import SUITE, TINY
from tests.recipes.by_modelopt import quantize
from tests.small_models import build_gemma3, build_qwen2_5_vl, build_smolvlm
from transformers import AutoModelForImageTextToText

from auto_quantize_model import InputError, load_suite, run_cases, solve_recipe
from auto_quantize_model.cases.suite import load_runtime
from auto_quantize_model.checkpoints.opening import open_checkpoint
from auto_quantize_model.engine.capture.batches import tokenize
from auto_quantize_model.families import load_model
from auto_quantize_model.plan import plan_passes
from auto_quantize_model.precision.quiet import modelopt_quiet
from auto_quantize_model.recipes.exports.compressed_tensors import quantization_config
from auto_quantize_model.recipes.exports.hf_quant_config import hf_quant_config
from auto_quantize_model.recipes.files import recipe_files, write_recipe

if TYPE_CHECKING:
    from pathlib import Path

    from auto_quantize_model import Recipe
    from auto_quantize_model.cases.suite import Case
    from auto_quantize_model.run import CaseResult

PAIRS = ("wfp8_afp8", "wfp4_afp4")
BUILDERS = {"gemma3": build_gemma3, "qwen2_5_vl": build_qwen2_5_vl, "smolvlm": build_smolvlm}
# What the files call layer 0's query, and what they have beside the language model.
IN_FILES = {
    "qwen3_vl_tiny": ("model.language_model.layers.0.self_attn.q_proj", {"model.visual*"}),
    "gemma3": ("language_model.model.layers.0.self_attn.q_proj", {"vision_tower*"}),
    "qwen2_5_vl": ("model.layers.0.self_attn.q_proj", {"visual*"}),
    "smolvlm": ("model.text_model.layers.0.self_attn.q_proj", {"model.connector*", "model.vision_model*"}),
}


@pytest.fixture(scope="module", params=IN_FILES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def cases(name: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Case, ...]:
    root = tmp_path_factory.mktemp(name)
    if name in BUILDERS:
        BUILDERS[name](root / name / "checkpoint")
        (root / name / "model.yaml").write_text("family: vlm\ndtype: float32\n", encoding="utf-8")
    else:
        shutil.copytree(TINY, root / name, ignore=shutil.ignore_patterns("layer-analysis", "recipes"))
    overrides = [f"suite.models=[{name}]", f"suite.pairs=[{', '.join(PAIRS)}]"]
    overrides.append("dataset.size_to_max_samples.small=8")
    return load_suite(SUITE, models_root=root, overrides=overrides).select("small")


@pytest.fixture(scope="module")
def results(cases: tuple[Case, ...]) -> list[CaseResult]:
    return list(run_cases(cases, device="cpu"))


def tensor_names(folder: Path) -> set[str]:
    with safe_open(folder / "model.safetensors", framework="pt") as opened:
        return set(opened.keys())


def exported_by_modelopt(recipe: Recipe, case: Case, folder: Path) -> dict[str, Any]:
    """The whole model, its vision tower too, quantized by the recipe and written by ModelOpt."""
    (plan,) = plan_passes([case])
    batches = tokenize(plan, load_model(case.model, open_checkpoint(case.checkpoint), torch.device("cpu")))
    whole = AutoModelForImageTextToText.from_pretrained(case.checkpoint, dtype=torch.float32)
    write_recipe(folder / "recipe", recipe_files(recipe, None))
    quantize(whole, batches, folder / "recipe" / "quant_cfg.json")
    with modelopt_quiet():
        export_hf_checkpoint(whole, export_dir=folder / "exported")
    config: dict[str, Any] = json.loads((folder / "exported" / "hf_quant_config.json").read_text(encoding="utf-8"))
    return config


def test_a_mixture_names_layers_as_modelopts_export_of_the_whole_model_does(
    name: str, cases: tuple[Case, ...], results: list[CaseResult], tmp_path: Path
) -> None:
    pins = ["*.0.self_attn.q_proj=wfp4_afp4", "*.1.self_attn.q_proj=wfp8_afp8", "*.0.mlp.down_proj=none"]
    recipe = solve_recipe(results, budget=8, pins=pins, runtime=load_runtime("vllm", SUITE))
    config = hf_quant_config(recipe)
    layers = config["quantization"]["quantized_layers"]
    assert layers[IN_FILES[name][0]] == {"quant_algo": "NVFP4", "group_size": 16}
    assert {f"{layer}.weight" for layer in layers} <= tensor_names(cases[0].checkpoint)
    assert config == exported_by_modelopt(recipe, cases[0], tmp_path)


def test_one_format_leaves_out_what_modelopts_export_leaves_out(
    name: str, cases: tuple[Case, ...], results: list[CaseResult], tmp_path: Path
) -> None:
    pins = ["*.0.self_attn.q_proj=wfp8_afp8", "*.0.mlp.down_proj=none"]
    recipe = solve_recipe(results[:1], budget=9, pins=pins, runtime=load_runtime("vllm", SUITE))
    ours = hf_quant_config(recipe)["quantization"]["exclude_modules"]
    theirs = exported_by_modelopt(recipe, cases[0], tmp_path)["quantization"]["exclude_modules"]
    # It names the embedding as well, which no runtime quantizes of its own, and sorts the loaded model's names.
    assert ours == sorted(each for each in theirs if not each.endswith("embed_tokens"))
    assert IN_FILES[name][1] <= set(ours)


def test_transformers_finds_the_layers_of_a_compressed_tensors_configuration(
    cases: tuple[Case, ...], results: list[CaseResult]
) -> None:
    runtime = load_runtime("compressed_tensors", SUITE)
    recipe = solve_recipe(results[:1], budget=9, pins=["*.0.mlp.down_proj=none"], runtime=runtime)
    config = quantization_config(recipe)
    (group,) = config["config_groups"].values()
    # vLLM goes by the files' names.
    in_files = {each.removesuffix(".weight") for each in tensor_names(cases[0].checkpoint)}
    assert len(in_files & set(group["targets"])) == len(recipe.modules_of("wfp8_afp8"))
    whole = AutoModelForImageTextToText.from_pretrained(cases[0].checkpoint, dtype=torch.float32)
    apply_quantization_config(whole, QuantizationConfig.model_validate(config))
    quantized = {found for found, module in whole.named_modules() if hasattr(module, "quantization_scheme")}
    assert quantized == set(recipe.modules_of("wfp8_afp8"))


def test_a_manifest_says_nothing_of_names_where_there_is_nothing_to_say(name: str, results: list[CaseResult]) -> None:
    manifest = results[0].manifest
    assert manifest is not None
    assert ("in_checkpoint" in manifest) == (name != "qwen3_vl_tiny")


def test_what_is_beside_a_model_of_older_manifests_is_not_known(name: str, results: list[CaseResult]) -> None:
    manifest = results[0].manifest
    assert manifest is not None
    older = {key: value for key, value in manifest.items() if key != "in_checkpoint"}
    recipe = solve_recipe([older], budget=8, runtime=load_runtime("vllm", SUITE))
    if name == "qwen3_vl_tiny":
        assert hf_quant_config(recipe)["quantization"]["exclude_modules"] == ["lm_head", "model.visual*"]
        return
    with pytest.raises(InputError, match=r"does not say what the checkpoint has beside its language model; run it"):
        hf_quant_config(recipe)
