"""A recipe as a compressed-tensors checkpoint, which transformers loads: it computes what ModelOpt fakes."""

from __future__ import annotations

import dataclasses
import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import torch
from compressed_tensors.compressors import BaseCompressor
from compressed_tensors.quantization import QuantizationScheme
from safetensors.torch import save_file
from tests.places import SUITE
from tests.recipes.by_modelopt import quantize
from tests.recipes.committed import files
from transformers import AutoModelForCausalLM, CompressedTensorsConfig

from auto_quantize_model import InputError, run_cases, solve_recipe
from auto_quantize_model.cases.suite import load_runtime
from auto_quantize_model.checkpoints.opening import open_checkpoint
from auto_quantize_model.engine.capture.batches import tokenize
from auto_quantize_model.families import load_model
from auto_quantize_model.plan import plan_passes
from auto_quantize_model.recipes.exports.compressed_tensors import quantization_config
from auto_quantize_model.recipes.files import recipe_files, write_recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from torch import Tensor

    from auto_quantize_model import Recipe, Suite
    from auto_quantize_model.engine.capture.batches import TokenBatch

PAIRS = ("wint8_aint8", "wfp8_afp8", "wint8_afp16", "wfp8_afp16")
PINS = ("*.0.mlp.down_proj=none", "*.0.self_attn.q_proj=wint8_aint8", "*.1.mlp.down_proj=wfp8_afp8")
MORE_PINS = ("*.1.self_attn.q_proj=wint8_afp16", "*.1.mlp.gate_proj=wfp8_afp16")
INT8_LARGEST, FP8_LARGEST, FP4_LARGEST = 127, 448, 6


@dataclasses.dataclass(frozen=True)
class Quantized:
    """A model that ModelOpt has quantized by a recipe, and the same recipe as a checkpoint."""

    recipe: Recipe
    model: Any
    batch: TokenBatch
    plain: Tensor
    faked: Tensor
    checkpoint: Path

    def off(self, served: Any) -> float:
        """How far another model's logits are from the faked ones, as a share of what quantizing moved."""
        logits, kept = logits_of(served, self.batch), self.batch.attention_mask.bool()
        return float((logits - self.faked)[kept].norm() / (self.faked - self.plain)[kept].norm())

    def modules(self, *pairs: str) -> list[str]:
        return [module for pair in pairs for module in self.recipe.modules_of(pair)]


@torch.no_grad()
def logits_of(model: Any, batch: TokenBatch) -> Tensor:
    logits: Tensor = model(**batch.inputs).logits.float()
    return logits


def quantized(suite: Suite, pairs: Sequence[str], pins: Sequence[str], budget: float, folder: Path) -> Quantized:
    cases = suite.select("small")
    results = list(run_cases(cases, device="cpu"))
    runtime = load_runtime("compressed_tensors", SUITE)
    recipe = solve_recipe(results, budget=budget, pins=pins, runtime=runtime)
    assert set(recipe.assignment.values()) == {*pairs, "none"}
    written = recipe_files(recipe, None)
    assert json.loads(written["quantization_config.json"]) == quantization_config(recipe)
    write_recipe(folder / "recipe", written)

    (plan,) = plan_passes(cases)
    loaded = load_model(cases[0].model, open_checkpoint(cases[0].checkpoint), torch.device("cpu"))
    batches = tokenize(plan, loaded)
    plain = logits_of(loaded.model, batches[0])
    with torch.no_grad():
        quantize(loaded.model, batches, folder / "recipe" / "quant_cfg.json")
    faked = logits_of(loaded.model, batches[0])
    compress(loaded.model, cases[0].checkpoint, folder / "served", quantization_config(recipe))
    return Quantized(recipe, loaded.model, batches[0], plain, faked, folder / "served")


def of_pairs(llama_suite: Callable[..., Suite], pairs: Sequence[str]) -> Suite:
    return llama_suite(f"suite.pairs=[{', '.join(pairs)}]", "dataset.size_to_max_samples.small=12")


def test_transformers_computes_what_modelopt_fakes(llama_suite: Callable[..., Suite], tmp_path: Path) -> None:
    ours = quantized(of_pairs(llama_suite, PAIRS), PAIRS, [*PINS, *MORE_PINS], 10, tmp_path)
    served: Any = AutoModelForCausalLM.from_pretrained(ours.checkpoint, dtype=torch.float32)
    assert ours.off(served) < 0.02
    found = {name for name, module in served.named_modules() if hasattr(module, "quantization_scheme")}
    assert found == set(ours.modules(*PAIRS))


FP4_PINS = {
    "wfp4_afp16": ["*.0.mlp.down_proj=none", "*.0.self_attn.q_proj=wfp4_afp16"],
    "wfp4_afp4": ["*.0.mlp.down_proj=none", "*.0.self_attn.q_proj=wfp4_afp4", "*.1.mlp.gate_proj=wfp4_afp4"],
    "wfp4_afp4,wfp4_afp16,wfp8_afp8": [
        "*.0.mlp.down_proj=none",
        "*.0.self_attn.q_proj=wfp4_afp4",
        "*.1.self_attn.q_proj=wfp4_afp16",
        "*.1.mlp.down_proj=wfp8_afp8",
    ],
}


@pytest.mark.parametrize("names", FP4_PINS)
def test_nvfp4_is_what_modelopt_fakes_but_for_the_bfloat16_that_it_is_unpacked_to(
    names: str, llama_suite: Callable[..., Suite], tmp_path: Path
) -> None:
    pairs = names.split(",")
    ours = quantized(of_pairs(llama_suite, pairs), pairs, FP4_PINS[names], 7.5, tmp_path)
    config = quantization_config(ours.recipe)
    assert config["format"] == ("mixed-precision" if len(pairs) > 1 else "nvfp4-pack-quantized")
    with pytest.warns(UserWarning, match="run_compressed"):
        served: Any = AutoModelForCausalLM.from_pretrained(
            ours.checkpoint,
            dtype=torch.float32,
            quantization_config=CompressedTensorsConfig(run_compressed=False),
        )
    torch.nn.Module.float(served)
    as_served = ours.off(served)
    for name in ours.modules(*pairs):
        layer, own = served.get_submodule(name), ours.model.get_submodule(name)
        faked = own.weight_quantizer(own.weight)
        if name in ours.modules(*(pair for pair in pairs if pair.startswith("wfp4"))):
            assert torch.equal(layer.weight, faked.bfloat16().float())
        layer.weight.data.copy_(faked)
    # Weights a bfloat16 off move an input, now and then, to another of NVFP4's sixteen values.
    assert as_served < (0.05 if names == "wfp4_afp16" else 0.5)
    assert ours.off(served) < 1e-3


def test_transformers_runs_nvfp4_in_bfloat16_as_it_is(llama_suite: Callable[..., Suite], tmp_path: Path) -> None:
    pairs = ("wfp4_afp16",)
    ours = quantized(of_pairs(llama_suite, pairs), pairs, FP4_PINS["wfp4_afp16"], 7.5, tmp_path)
    served: Any = AutoModelForCausalLM.from_pretrained(ours.checkpoint, dtype=torch.bfloat16)
    assert ours.off(served) < 0.1
    found = {name for name, module in served.named_modules() if hasattr(module, "quantization_scheme")}
    assert found == set(ours.modules(*pairs))


def compress(model: Any, checkpoint: Path, folder: Path, config: dict[str, Any]) -> None:
    """A checkpoint by the recipe, with ModelOpt's own maxima as scales, through the library's own compressors."""
    shutil.copytree(checkpoint, folder)
    document = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(document | {"quantization_config": config}), encoding="utf-8")
    tensors = {name: value for name, value in model.state_dict().items() if "quantizer" not in name}
    for group in config["config_groups"].values():
        scheme = QuantizationScheme(**{**group, "targets": ["Linear"]})
        compressor: Any = BaseCompressor.get_value_from_registry(group["format"])
        scales = fp4_scales if group["weights"]["num_bits"] == 4 else one_scale
        for name in group["targets"]:
            local = {"weight": tensors.pop(f"{name}.weight"), **scales(model.get_submodule(name), group)}
            for key, value in compressor.compress(local, scheme).items():
                tensors[f"{name}.{key}"] = value
    save_file({name: value.contiguous() for name, value in tensors.items()}, folder / "model.safetensors")


def maximum(quantizer: Any) -> Tensor:
    amax: Tensor = quantizer.amax.detach().float()
    return amax


def one_scale(layer: Any, group: dict[str, Any]) -> dict[str, Tensor]:
    largest = INT8_LARGEST if group["weights"]["type"] == "int" else FP8_LARGEST
    shape = (-1, 1) if group["weights"]["strategy"] == "channel" else (1,)
    scales = {"weight_scale": maximum(layer.weight_quantizer).reshape(shape) / largest}
    if group["input_activations"] is not None:
        scales["input_scale"] = maximum(layer.input_quantizer).reshape(1) / largest
    return scales


def fp4_scales(layer: Any, group: dict[str, Any]) -> dict[str, Tensor]:
    """A block's scale is stored times the global one, which is the reciprocal of ModelOpt's."""
    whole = FP4_LARGEST * FP8_LARGEST / maximum(layer.weight_quantizer).reshape(1)
    blocks = layer.weight.float().unflatten(-1, (-1, group["weights"]["group_size"])).abs().amax(dim=-1)
    stored = (blocks / FP4_LARGEST * whole).clamp(max=FP8_LARGEST).to(torch.float8_e4m3fn).float()
    scales = {"weight_scale": stored, "weight_global_scale": whole}
    if group["input_activations"] is not None:
        scales["input_global_scale"] = FP4_LARGEST * FP8_LARGEST / maximum(layer.input_quantizer).reshape(1)
    return scales


def test_what_it_has_no_format_for_is_refused() -> None:
    runtime = load_runtime("compressed_tensors", SUITE)
    with pytest.raises(InputError, match="compressed_tensors cannot serve 'wint8_afp8': no compressor"):
        solve_recipe(files("wint8_afp8"), budget=9, runtime=runtime)
    for pair in ("wmxfp4_afp16", "wfp4_afp8"):
        with pytest.raises(InputError, match=f"no format for the pair '{pair}'"):
            quantization_config(solve_recipe(files(pair), budget=9))
