"""A recipe as a compressed-tensors checkpoint, which transformers loads: it computes what ModelOpt fakes."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import modelopt.torch.quantization as mtq
import pytest
import torch
from compressed_tensors.compressors import BaseCompressor
from compressed_tensors.quantization import QuantizationScheme
from safetensors.torch import save_file
from tests.places import SUITE
from transformers import AutoModelForCausalLM

from auto_quantize_model import InputError, read_quant_cfg, run_cases, solve_recipe
from auto_quantize_model.cases.suite import load_runtime
from auto_quantize_model.checkpoints.opening import open_checkpoint
from auto_quantize_model.engine.capture.batches import tokenize
from auto_quantize_model.families import load_model
from auto_quantize_model.plan import plan_passes
from auto_quantize_model.precision.quiet import modelopt_quiet
from auto_quantize_model.recipes.exports.compressed_tensors import quantization_config
from auto_quantize_model.recipes.files import recipe_files, write_recipe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auto_quantize_model import Suite

PAIRS = ("wint8_aint8", "wfp8_afp8", "wint8_afp16", "wfp8_afp16")
PINS = ("*.0.mlp.down_proj=none", "*.0.self_attn.q_proj=wint8_aint8", "*.1.mlp.down_proj=wfp8_afp8")
MORE_PINS = ("*.1.self_attn.q_proj=wint8_afp16", "*.1.mlp.gate_proj=wfp8_afp16")
INT8_LARGEST, FP8_LARGEST = 127, 448


def test_transformers_computes_what_modelopt_fakes(llama_suite: Callable[..., Suite], tmp_path: Path) -> None:
    suite = llama_suite(f"suite.pairs=[{', '.join(PAIRS)}]", "dataset.size_to_max_samples.small=12")
    cases = suite.select("small")
    runtime = load_runtime("compressed_tensors", SUITE)
    results = list(run_cases(cases, device="cpu"))
    recipe = solve_recipe(results, budget=10, pins=[*PINS, *MORE_PINS], runtime=runtime)
    assert set(recipe.assignment.values()) == {*PAIRS, "none"}
    files = recipe_files(recipe, None)
    assert json.loads(files["quantization_config.json"]) == quantization_config(recipe)
    write_recipe(tmp_path / "recipe", files)

    (plan,) = plan_passes(cases)
    loaded = load_model(cases[0].model, open_checkpoint(cases[0].checkpoint), torch.device("cpu"))
    batches = tokenize(plan, loaded)
    with torch.inference_mode(), modelopt_quiet():
        plain = loaded.model(**batches[0].inputs).logits
        config = read_quant_cfg(tmp_path / "recipe" / "quant_cfg.json")
        mtq.quantize(loaded.model, config, lambda model: [model(**batch.inputs) for batch in batches])
        faked = loaded.model(**batches[0].inputs).logits
        compress(loaded.model, cases[0].checkpoint, tmp_path / "served", quantization_config(recipe))
        served_model: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "served", dtype=torch.float32)
        served = served_model(**batches[0].inputs).logits
    kept = batches[0].attention_mask.bool()
    moved = (faked - plain)[kept].norm()
    assert (served - faked)[kept].norm() < 0.02 * moved
    quantized = {name for name, module in served_model.named_modules() if hasattr(module, "quantization_scheme")}
    assert quantized == {module for pair in PAIRS for module in recipe.modules_of(pair)}


def compress(model: Any, checkpoint: Path, folder: Path, config: dict[str, Any]) -> None:
    """A checkpoint by the recipe, with ModelOpt's own maxima as scales, through the library's own compressors."""
    shutil.copytree(checkpoint, folder)
    document = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(document | {"quantization_config": config}), encoding="utf-8")
    tensors = {name: value for name, value in model.state_dict().items() if "quantizer" not in name}
    for group in config["config_groups"].values():
        scheme = QuantizationScheme(**{**group, "targets": ["Linear"]})
        compressor: Any = BaseCompressor.get_value_from_registry(group["format"])
        largest = INT8_LARGEST if group["weights"]["type"] == "int" else FP8_LARGEST
        for name in group["targets"]:
            layer = model.get_submodule(name)
            amax = layer.weight_quantizer.amax.detach().float()
            scale = amax.reshape(-1, 1) if group["weights"]["strategy"] == "channel" else amax.reshape(1)
            local = {"weight": tensors.pop(f"{name}.weight"), "weight_scale": scale / largest}
            for key, value in compressor.compress(local, scheme).items():
                tensors[f"{name}.{key}"] = value
            if group["input_activations"] is not None:
                tensors[f"{name}.input_scale"] = layer.input_quantizer.amax.detach().float().reshape(1) / largest
    save_file({name: value.contiguous() for name, value in tensors.items()}, folder / "model.safetensors")


def test_what_it_has_no_format_for_is_refused() -> None:
    from tests.recipes.committed import files

    runtime = load_runtime("compressed_tensors", SUITE)
    with pytest.raises(InputError, match="compressed_tensors cannot serve 'wint8_afp8': no compressor"):
        solve_recipe(files("wint8_afp8"), budget=9, runtime=runtime)
    with pytest.raises(InputError, match="no format for the pair 'wfp4_afp16'"):
        quantization_config(solve_recipe(files("wfp4_afp16"), budget=9))
