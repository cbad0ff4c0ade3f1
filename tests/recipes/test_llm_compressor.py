"""A recipe for llm-compressor, read by the classes that it is validated with, and by itself where it is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
import yaml
from compressed_tensors.quantization import QuantizationScheme, preset_name_to_scheme
from tests.places import SUITE

from auto_quantize_model import load_suite, run_cases, solve_recipe
from auto_quantize_model.cases.suite import load_runtime
from auto_quantize_model.checkpoints.opening import open_checkpoint
from auto_quantize_model.errors import InputError
from auto_quantize_model.families import load_model
from auto_quantize_model.recipes.files import recipe_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auto_quantize_model import Recipe, Suite
    from auto_quantize_model.cases.suite import Case

PAIRS = ("wfp4_afp4", "wfp4_afp16", "wfp8_afp8", "wint8_aint8")
PINS = (
    "*.0.self_attn.q_proj=wfp4_afp4",
    "*.0.self_attn.o_proj=wfp8_afp8",
    "*.1.mlp.down_proj=wint8_aint8",
    "*.0.mlp.down_proj=none",
    "*.1.mlp.gate_proj=wfp4_afp16",
)
CAPTIONS = ("a dog runs over the grass", "two people ride a red bicycle", "a plate of food on a table")


@pytest.fixture(scope="module")
def cases(llama_suite: Callable[..., Suite]) -> tuple[Case, ...]:
    suite = llama_suite(f"suite.pairs=[{', '.join(PAIRS)}]", "dataset.size_to_max_samples.small=12")
    return suite.select("small")


@pytest.fixture(scope="module")
def recipe(cases: tuple[Case, ...]) -> Recipe:
    results = list(run_cases(cases, device="cpu"))
    return solve_recipe(results, budget=8, pins=PINS, runtime=load_runtime("llm_compressor", SUITE))


@pytest.fixture(scope="module")
def written(recipe: Recipe) -> str:
    return recipe_files(recipe, None)["llm_compressor_recipe.yaml"]


def test_its_groups_are_schemes_of_the_names_that_the_profile_gives(recipe: Recipe, written: str) -> None:
    modifier = yaml.safe_load(written)["quantization_stage"]["quantization_modifiers"]["QuantizationModifier"]
    schemes = {
        source.pair: QuantizationScheme.model_validate(group)
        for source, group in zip(recipe.used, modifier["config_groups"].values(), strict=True)
    }
    assert set(schemes) == set(PAIRS)
    for pair, name in (("wfp4_afp4", "NVFP4"), ("wfp4_afp16", "NVFP4A16"), ("wfp8_afp8", "FP8")):
        preset = preset_name_to_scheme(name, ["Linear"])
        assert same(schemes[pair].weights) == same(preset.weights)
        assert same(schemes[pair].input_activations) == same(preset.input_activations)
    targets = [name for scheme in schemes.values() for name in scheme.targets]
    assert sorted(targets) == sorted(name for pair in PAIRS for name in recipe.modules_of(pair))
    assert "model.layers.0.mlp.down_proj" in modifier["ignore"]


def same(args: Any) -> Any:
    """What decides about numbers; an observer says how a scale is found."""
    return None if args is None else args.model_dump(exclude={"observer", "observer_kwargs", "actorder"})


def test_a_pair_that_it_has_no_scheme_for_is_refused() -> None:
    suite = load_suite(SUITE, overrides=["suite.models=[qwen3_vl_tiny]"])
    file = next(suite.cases[0].models_root.glob("qwen3_vl_tiny/*/*/*_wint8_afp8_lm_small/*manifest.json"))
    with pytest.raises(InputError, match="no scheme of INT8 weights with FP8 inputs"):
        solve_recipe([file], budget=8, runtime=load_runtime("llm_compressor", SUITE))


def test_llm_compressor_quantizes_what_the_recipe_says(
    recipe: Recipe, written: str, cases: tuple[Case, ...], tmp_path: Path
) -> None:
    llmcompressor = pytest.importorskip("llmcompressor", reason="not one of the tests' requirements")
    datasets = pytest.importorskip("datasets")
    file = tmp_path / "recipe.yaml"
    file.write_text(written, encoding="utf-8")
    loaded = load_model(cases[0].model, open_checkpoint(cases[0].checkpoint), torch.device("cpu"))
    samples = [loaded.tokenizer(each)["input_ids"] for each in CAPTIONS]
    data = datasets.Dataset.from_dict({"input_ids": samples, "attention_mask": [[1] * len(each) for each in samples]})
    llmcompressor.oneshot(model=loaded.model, dataset=data, recipe=str(file), num_calibration_samples=len(samples))
    for pair in PAIRS:
        for name in recipe.modules_of(pair):
            scheme = loaded.model.get_submodule(name).quantization_scheme
            assert scheme.weights.num_bits == (4 if pair.startswith("wfp4") else 8)
    for name in recipe.unquantized_modules:
        assert not hasattr(loaded.model.get_submodule(name), "quantization_scheme")
