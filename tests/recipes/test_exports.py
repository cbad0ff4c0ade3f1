"""What a recipe is exported to, read back by ModelOpt itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import modelopt.torch.quantization as mtq
import pytest
import torch
from modelopt.recipe import load_recipe
from modelopt.torch.export import export_hf_checkpoint
from tests.places import SUITE
from tests.recipes.by_modelopt import quantize
from tests.recipes.committed import files

from auto_quantize_model import load_suite, read_quant_cfg, run_cases, solve_recipe
from auto_quantize_model.cases.suite import load_runtime
from auto_quantize_model.checkpoints.opening import open_checkpoint
from auto_quantize_model.engine.capture.batches import causal_loss, tokenize
from auto_quantize_model.engine.measurement import blocks, measure
from auto_quantize_model.engine.measurement.divergence import Before
from auto_quantize_model.engine.measurement.held_out import tokens_of
from auto_quantize_model.errors import InputError
from auto_quantize_model.families import load_model
from auto_quantize_model.plan import plan_passes
from auto_quantize_model.precision.quiet import modelopt_quiet
from auto_quantize_model.recipes import proving
from auto_quantize_model.recipes.exports.hf_quant_config import hf_quant_config
from auto_quantize_model.recipes.exports.quant_cfg import quant_cfg
from auto_quantize_model.recipes.files import recipe_files, write_recipe
from auto_quantize_model.recipes.modelopt_choice import modelopts_choice
from auto_quantize_model.recipes.proving import Prover, held_out_captions
from auto_quantize_model.reporting import silent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auto_quantize_model import Recipe, Suite
    from auto_quantize_model.cases.suite import Case

CPU = torch.device("cpu")
PAIRS = ("wfp8_afp8", "wint8_aint8", "wint8_afp16")


@pytest.fixture(scope="module")
def cases(llama_suite: Callable[..., Suite]) -> dict[str, Case]:
    suite = llama_suite(f"suite.pairs=[{', '.join(PAIRS)}]", "dataset.size_to_max_samples.small=12")
    return {case.pair.name: case for case in suite.select("small")}


@pytest.fixture(scope="module")
def recipe(cases: dict[str, Case]) -> Recipe:
    """One that has every pair, and leaves a group as it is."""
    pins = ["*.0.mlp.down_proj=none", "*.0.self_attn.q_proj=wint8_aint8", "*.1.mlp.down_proj=wfp8_afp8"]
    recipe = solve_recipe(list(run_cases(cases.values(), device="cpu")), budget=9, pins=pins)
    assert set(recipe.assignment.values()) == {*PAIRS, "none"}
    return recipe


def test_modelopt_quantizes_by_it_as_it_was_measured(
    recipe: Recipe, cases: dict[str, Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare_with_modelopts_own(recipe, cases, tmp_path, monkeypatch)


def test_modelopt_quantizes_the_embedded_model_as_it_was_measured_with_inputs_in_fp4(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = ("wfp4_afp4", "wfp8_afp8", "wint8_aint8")
    suite = load_suite(SUITE, overrides=["suite.models=[qwen3_vl_tiny]", f"suite.pairs=[{', '.join(pairs)}]"])
    cases = {case.pair.name: case for case in suite.select("medium")}
    recipe = solve_recipe(files(*pairs), budget=7)
    assert set(recipe.assignment.values()) == {*pairs, "none"}
    monkeypatch.setattr(proving, "MOST_CAPTIONS", 32)
    compare_with_modelopts_own(recipe, cases, tmp_path, monkeypatch)


def compare_with_modelopts_own(
    recipe: Recipe, cases: dict[str, Case], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The KL that is measured here beside that of what `mtq.quantize` makes of the model, by `quant_cfg.json`.

    Both multiply on one kernel, a caption at a time: an input that differs in its last bit may be rounded to another
    level, which moves the KL by more than all else that could differ.
    """
    monkeypatch.setattr(blocks, "product", torch.nn.functional.linear)
    monkeypatch.setitem(measure.TOKENS_AT_ONCE, "cpu", 1)
    (first, *_) = cases.values()
    prover = Prover(cases, "cpu", {}, recipe.choice.sources[0].manifest, silent)
    held_out = held_out_captions(first, None)
    (measured,) = prover.measure([recipe.assignment], held_out)
    write_recipe(folder, recipe_files(recipe, None))
    (plan,) = plan_passes(list(cases.values()))
    loaded = load_model(first.model, open_checkpoint(first.checkpoint), CPU)
    captions = tokens_of(held_out.captions, plan, loaded)
    with torch.inference_mode():
        plain = [next_logits(loaded.model, each) for each in captions]
        quantize(loaded.model, tokenize(plan, loaded), folder / "quant_cfg.json")
        after = [next_logits(loaded.model, each) for each in captions]
        same_formula = sum(
            float(Before(one, tokens[1:]).divergence(other[None].clone()).kl.double().sum())
            for one, other, tokens in zip(plain, after, captions, strict=True)
        )
    assert same_formula / measured.tokens.sum() == pytest.approx(measured.kl_per_token, rel=1e-6, abs=0)
    # From logarithms of chances in float64; what is left is the float32 of the formula.
    textbook = sum(divergence(one.double(), other.double()) for one, other in zip(plain, after, strict=True))
    assert textbook / measured.tokens.sum() == pytest.approx(measured.kl_per_token, rel=1e-4, abs=0)
    assert textbook / measured.tokens.sum() == pytest.approx(measured.kl_per_token, rel=0, abs=1e-6)


def next_logits(model: Any, tokens: torch.Tensor) -> torch.Tensor:
    logits: torch.Tensor = model(input_ids=tokens[None]).logits[0, :-1]
    return logits


def divergence(plain: torch.Tensor, after: torch.Tensor) -> float:
    one, other = plain.log_softmax(dim=-1), after.log_softmax(dim=-1)
    return float((one.exp() * (one - other)).sum())


def test_modelopts_own_scripts_read_the_same_from_its_recipe(recipe: Recipe, tmp_path: Path) -> None:
    runtime = load_runtime("modelopt", SUITE)
    for_it = solve_recipe([source.manifest for source in recipe.choice.sources], budget=9, runtime=runtime)
    write_recipe(tmp_path, recipe_files(for_it, None))
    with modelopt_quiet():
        loaded: Any = load_recipe(tmp_path / "modelopt_recipe.yaml")
    theirs = loaded.quantize.model_dump()
    ours = mtq.config.QuantizeConfig(**read_quant_cfg(tmp_path / "quant_cfg.json")).model_dump()
    assert theirs == ours


def test_hf_quant_config_is_what_modelopt_exports(recipe: Recipe, cases: dict[str, Case], tmp_path: Path) -> None:
    assert hf_quant_config(recipe) == exported_by_modelopt(recipe, cases, tmp_path)


@pytest.mark.parametrize(
    ("pairs", "algorithms"),
    [
        (("wfp4_afp4",), {"NVFP4"}),
        (("wfp4_afp16",), {"W4A16_NVFP4"}),
        (("wfp4_afp8",), {"W4A8_NVFP4_FP8"}),
        (("wfp8_afp8",), {"FP8"}),
        (("wfp4_afp4", "wfp8_afp8"), {"NVFP4", "FP8"}),
        (("wfp4_afp4", "wfp8_afp8", "wfp4_afp16"), {"NVFP4", "FP8", "W4A16_NVFP4"}),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, tuple) else "",
)
def test_hf_quant_config_is_what_modelopt_exports_of_nvfp4(
    pairs: tuple[str, ...], algorithms: set[str], llama_suite: Callable[..., Suite], tmp_path: Path
) -> None:
    suite = llama_suite(f"suite.pairs=[{', '.join(pairs)}]", "dataset.size_to_max_samples.small=12")
    cases = {case.pair.name: case for case in suite.select("small")}
    pins = ["*.0.mlp.down_proj=none", f"*.0.self_attn.q_proj={pairs[0]}", f"*.1.self_attn.q_proj={pairs[-1]}"]
    pins += [f"*.1.mlp.down_proj={pairs[1]}"] if len(pairs) > 1 else []
    recipe = solve_recipe(list(run_cases(cases.values(), device="cpu")), budget=9, pins=pins)
    ours, theirs = hf_quant_config(recipe), exported_by_modelopt(recipe, cases, tmp_path)
    excluded = theirs["quantization"].get("exclude_modules", [])
    if excluded:
        # No runtime quantizes an embedding of its own.
        excluded.remove("model.embed_tokens")
    assert ours == theirs
    layers = ours["quantization"].get("quantized_layers", {"all": ours["quantization"]})
    assert {layer["quant_algo"] for layer in layers.values()} == algorithms


def exported_by_modelopt(recipe: Recipe, cases: dict[str, Case], folder: Path) -> dict[str, Any]:
    """What it writes beside the model that it quantized by the recipe."""
    (plan,) = plan_passes(list(cases.values()))
    loaded = load_model(plan.cases[0].model, open_checkpoint(plan.cases[0].checkpoint), CPU)
    write_recipe(folder / "recipe", recipe_files(recipe, None))
    quantize(loaded.model, tokenize(plan, loaded), folder / "recipe" / "quant_cfg.json")
    loaded.model.config.architectures = ["LlamaForCausalLM"]
    with modelopt_quiet():
        export_hf_checkpoint(loaded.model, export_dir=folder / "exported")
    exported: dict[str, Any] = json.loads((folder / "exported" / "hf_quant_config.json").read_text(encoding="utf-8"))
    return exported


@pytest.mark.parametrize(
    ("pairs", "algorithm"),
    [(("wmxfp4_afp16",), None), (("wint8_afp16",), "max"), (("wmxfp4_afp16", "wint8_afp16"), "max")],
)
def test_a_recipe_is_calibrated_where_one_of_its_pairs_is(pairs: tuple[str, ...], algorithm: str | None) -> None:
    recipe = solve_recipe(files(*pairs), budget=6 if len(pairs) > 1 else 9)
    assert {source.pair for source in recipe.used} == set(pairs)
    assert quant_cfg(recipe)["algorithm"] == algorithm


def test_a_pair_without_a_name_there_is_refused(cases: dict[str, Case]) -> None:
    suite = load_suite(SUITE, overrides=["suite.models=[qwen3_vl_tiny]"])
    file = next(suite.cases[0].models_root.glob("qwen3_vl_tiny/*/*/*_wint8_afp8_lm_small/*manifest.json"))
    with pytest.raises(InputError, match="no name for the pair 'wint8_afp8'"):
        hf_quant_config(solve_recipe([file], budget=8))


@pytest.mark.parametrize("bits", [6.5, 8.0, 10.0])
def test_modelopts_choice_is_what_its_search_chooses(cases: dict[str, Case], recipe: Recipe, bits: float) -> None:
    choice = solve_recipe([source.manifest for source in recipe.choice.sources], budget=16).choice
    prover = Prover(cases, "cpu", {}, choice.sources[0].manifest, silent)
    if bits < 8:
        with pytest.raises(InputError, match=r"finds nothing at 6\.5 bits"):
            modelopts_choice(choice, prover.formats, bits)
        return
    assert modelopts_choice(choice, prover.formats, bits) == searched(cases, choice.weights.sum(), bits)


def searched(cases: dict[str, Case], weights: float, bits: float) -> dict[str, str]:
    """What `mtq.auto_quantize` itself makes of the model; its bits count the head, which it may not quantize."""
    (plan,) = plan_passes(list(cases.values()))
    loaded = load_model(plan.cases[0].model, open_checkpoint(plan.cases[0].checkpoint), CPU)
    batches = tokenize(plan, loaded)
    pairs = {case.pair.format.name: pair for pair, case in cases.items()}
    head = loaded.model.lm_head.weight.numel()
    with modelopt_quiet():
        _, state = mtq.auto_quantize(
            loaded.model,
            constraints={"effective_bits": (weights * bits + head * 16) / (weights + head)},
            quantization_formats=list(pairs),
            data_loader=batches,
            forward_step=lambda model, batch: model(**batch.inputs, use_cache=False),
            loss_func=lambda output, batch: causal_loss(output.logits, batch),
            num_calib_steps=len(batches),
            num_score_steps=len(batches),
            disabled_layers=loaded.disabled_layers(),
            verbose=False,
        )
    chosen = {}
    for name, fmt in state["best"]["recipe"].items():
        if len(state["candidate_stats"][name]["formats"]) > 1:
            chosen[name.removesuffix(".quant_recipe")] = pairs.get(str(fmt).split("(")[0], "none")
    return chosen
