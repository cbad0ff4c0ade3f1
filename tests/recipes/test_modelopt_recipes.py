"""ModelOpt's own AutoQuantize recipes as input, beside what ModelOpt itself makes of them."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import modelopt.torch.quantization as mtq
import pytest
import torch
from modelopt.recipe import load_recipe
from tests.engine.modelopt_direct import batches_of, loss_of
from tests.places import SUITE
from tests.small_models import build_qwen3_5_moe
from transformers import AutoModelForCausalLM

from auto_quantize_model import load_suite, run_cases
from auto_quantize_model.cases.modelopt_recipe import shipped_recipes
from auto_quantize_model.cli import main
from auto_quantize_model.errors import InputError
from auto_quantize_model.precision import fp4
from auto_quantize_model.precision.formats import resolve_format, with_backends
from auto_quantize_model.precision.quiet import modelopt_quiet
from auto_quantize_model.recipes.beside_modelopt import BesideModelOpt, beside_modelopt

if TYPE_CHECKING:
    from pathlib import Path

    from auto_quantize_model import CaseResult, Suite
    from auto_quantize_model.cases.suite import Case

FEW = "dataset.size_to_max_samples={small: 8, medium: 8, large: 8}"
EXPERTS = "huggingface/qwen3_6_moe/auto_quantize/w4a16_nvfp4_fp8_at_6p0bits-active_moe"
SPACES = "huggingface/qwen3_6_moe/auto_quantize/w4a16_nvfp4_fp8_module_spaces_at_6p0bits-active_moe"
KL_DIV = "general/auto_quantize/nvfp4_fp8_kl_div_at_5p4bits"
PLAIN = "general/auto_quantize/nvfp4_fp8_at_5p4bits"
SUFFIX = ".quant_recipe"
MINE = """\
imports:
  fp8: configs/ptq/presets/model/fp8
  int8: configs/ptq/presets/model/int8
metadata: {recipe_type: auto_quantize, description: mine}
auto_quantize:
  constraints: {effective_bits: 8.5}
  candidate_formats: [{$import: fp8}, {$import: int8}]
  score_size: 16
  disabled_layers: ['*.0.mlp*']
"""
BOMB = "".join(f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in ("bc", "cd", "de", "ef"))


@dataclasses.dataclass(frozen=True)
class Ran:
    suite: Suite
    results: list[CaseResult]
    beside: BesideModelOpt

    @property
    def cases(self) -> dict[str, Case]:
        return {result.case.pair.name: result.case for result in self.results}


def ran(suite: Suite) -> Ran:
    assert suite.modelopt_recipe is not None
    results = list(run_cases(suite.select("medium"), device="cpu"))
    assert [result.error for result in results] == [None] * len(results)
    formats = {pair.name: resolve_format(pair.format) for pair in suite.modelopt_recipe.pairs}
    return Ran(suite, results, beside_modelopt(suite.modelopt_recipe.recipe, results, formats))


@pytest.fixture(scope="module")
def experts_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the architecture that two of the recipes are for."""
    root = tmp_path_factory.mktemp("models")
    build_qwen3_5_moe(root / "built" / "checkpoint")
    (root / "built" / "model.yaml").write_text("family: causal_lm\ndtype: float32\n", encoding="utf-8")
    return root


def of_experts(root: Path, recipe: str) -> Ran:
    return ran(load_suite(SUITE, root, ["suite.models=[built]", FEW], recipe))


@pytest.fixture(scope="module")
def experts(experts_root: Path) -> Ran:
    return of_experts(experts_root, EXPERTS)


@pytest.fixture(scope="module")
def spaces(experts_root: Path) -> Ran:
    return of_experts(experts_root, SPACES)


def test_eight_recipes_come_with_modelopt() -> None:
    assert len(shipped_recipes()) == 8


@pytest.mark.parametrize("recipe", [name for name in shipped_recipes() if "qwen3_6" not in name])
def test_every_other_recipe_runs_on_the_embedded_model(recipe: str) -> None:
    of_recipe = ran(load_suite(SUITE, overrides=["suite.models=[qwen3_vl_tiny]", FEW], modelopt_recipe=recipe))
    said = with_all_defaults(recipe)
    assert {result.case.autoquant.method for result in of_recipe.results} == {said["auto_quantize_method"]}
    assert {result.case.autoquant.score_size for result in of_recipe.results} == {said["score_size"]}
    budget = said["constraints"]["effective_bits"]
    assert of_recipe.beside.their_bits <= budget
    if recipe == KL_DIV:
        assert of_recipe.beside.ours is None
        return
    assert of_recipe.beside.ours is not None
    assert of_recipe.beside.ours.solved.totals.effective_bits <= budget
    theirs = of_recipe.beside.their_predicted_kl
    assert theirs is not None
    assert of_recipe.beside.ours.solved.totals.predicted_kl <= theirs * (1 + 1e-9)


def with_all_defaults(recipe: str) -> dict[str, Any]:
    with modelopt_quiet():
        loaded: Any = load_recipe(recipe)
    return dict(loaded.auto_quantize.model_dump())


def modelopts_search(recipe: str, some: Case, bits: float) -> dict[str, Any]:
    """What `mtq.auto_quantize` makes of a recipe, handed to it as ModelOpt's own scripts do."""
    with modelopt_quiet():
        loaded: Any = load_recipe(recipe)
    said = loaded.auto_quantize
    cost = {"excluded_module_name_patterns": said.cost_excluded_layers}
    if said.constraints.cost is not None:
        cost["active_moe_expert_ratio"] = said.constraints.cost.active_moe_expert_ratio
    batches = batches_of(some)
    spaces = [
        {
            "module_name_patterns": space.module_name_patterns,
            "quantization_formats": [on_cpu(each.model_dump(exclude_unset=True)) for each in space.candidate_formats],
            "allow_no_quant": space.allow_no_quant,
        }
        for space in said.module_search_spaces
    ]
    base = None if loaded.quantize is None else on_cpu(loaded.quantize.model_dump(exclude_unset=True))
    with modelopt_quiet():
        _, state = mtq.auto_quantize(
            AutoModelForCausalLM.from_pretrained(some.checkpoint, dtype=torch.float32),
            constraints={"effective_bits": bits, "cost_model": said.constraints.cost_model, "cost": cost},
            quantization_formats=[on_cpu(each.model_dump(exclude_unset=True)) for each in said.candidate_formats]
            or None,
            module_search_spaces=spaces or None,
            fixed_quantization_config=base,
            data_loader=batches,
            forward_step=lambda model, batch: model(**batch),
            loss_func=loss_of,
            num_calib_steps=len(batches),
            num_score_steps=len(batches),
            disabled_layers=[*said.disabled_layers, "*lm_head*"],
            verbose=False,
        )
    return dict(state)


def on_cpu(config: dict[str, Any]) -> dict[str, Any]:
    fp4.register_cpu_backends()
    # A cache has no say in what a weight's sensitivity is, and its quantizers are not part of the comparison.
    config["quant_cfg"] = [each for each in config["quant_cfg"] if "bmm" not in each["quantizer_name"]]
    return with_backends(config, nvfp4=fp4.NVFP4_BACKEND, mx={})


def bits_with_what_is_kept(of_recipe: Ran, bits: float) -> float:
    """ModelOpt counts what it may not quantize into its budget."""
    choice = of_recipe.beside.choice
    kept: float = sum(entry["costs"][-1] * entry.get("cost_weight", 1.0) for entry in choice.never_quantized.values())
    counted = float(choice.counted.sum())
    return (counted * bits + kept * 16) / (counted + kept)


def test_scores_costs_and_choice_of_a_mixture_are_modelopts(experts: Ran) -> None:
    theirs = modelopts_search(EXPERTS, experts.results[0].case, bits_with_what_is_kept(experts, 6.0))
    searched = {name: stats for name, stats in theirs["candidate_stats"].items() if len(stats["formats"]) > 1}
    assert len(searched) == 10
    for pair, place in (("wfp4_afp16", 0), ("wfp8_afp8", 1)):
        manifest = next(each.manifest for each in experts.results if each.case.pair.name == pair)
        assert manifest is not None
        entries = manifest["layer_sensitivity"]
        assert {name for name, entry in entries.items() if entry["status"] == "scored"} == set(searched)
        for name, stats in searched.items():
            entry = entries[name]
            assert entry["scores"][0] == pytest.approx(stats["scores"][place], rel=1e-4), name
            counted = [cost * entry.get("cost_weight", 1.0) for cost in entry["costs"]]
            assert counted == pytest.approx([stats["costs"][place], stats["costs"][-1]])
    assert named(theirs, experts) == experts.beside.theirs


def test_search_spaces_leave_what_modelopts_leave(spaces: Ran) -> None:
    theirs = modelopts_search(SPACES, spaces.results[0].case, bits_with_what_is_kept(spaces, 6.0))
    choice = spaces.beside.choice
    for part in choice.parts:
        stats = theirs["candidate_stats"][part.name + SUFFIX]
        left = [
            pair
            for pair, kl in zip(choice.pairs, choice.predicted[choice.parts.index(part)], strict=True)
            if kl < float("inf")
        ]
        assert len(left) == len(stats["formats"]), part.name
        assert ("none" in left) == any("NONE" in str(each) for each in stats["formats"])
        assert part.cost == pytest.approx(stats["uncompressed_cost"])
    assert {part.name for part in choice.parts} == {
        name.removesuffix(SUFFIX)
        for name, stats in theirs["candidate_stats"].items()
        if not all("NONE" in str(each) for each in stats["formats"])
    }
    fixed = {name: pair for name, pair in spaces.beside.theirs.items() if name.endswith("experts")}
    assert set(fixed.values()) == {"wfp4_afp16_2"}


def named(state: dict[str, Any], of_recipe: Ran) -> dict[str, str]:
    """The pair of each group of ModelOpt's own choice."""
    by_bits = {4.5: "wfp4_afp16", 8.0: "wfp8_afp8", 16.0: "none"}
    return {
        name.removesuffix(SUFFIX): by_bits[float(chosen.compression * 16)]
        for name, chosen in state["best"]["recipe"].items()
        if name.removesuffix(SUFFIX) in of_recipe.beside.theirs
    }


def test_run_shows_both_choices_and_writes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["run", "--suite", str(SUITE), "--modelopt-recipe", PLAIN, "-k", "tiny and small", "--override", FEW]
    assert main([*arguments, "--output", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "nvfp4_fp8_at_5p4bits: it searches the output head too" in printed
    assert "ModelOpt's own" in printed
    folder = tmp_path / "qwen3_vl_tiny" / "recipes" / "nvfp4_fp8_at_5p4bits"
    written = json.loads((folder / "modelopt_choice.json").read_text(encoding="utf-8"))
    assert written["ours"]["predicted_kl"] <= written["modelopt"]["predicted_kl"] * (1 + 1e-9)
    assert len(written["assignment"]) == 32
    ours = json.loads((folder / "recipe.json").read_text(encoding="utf-8"))["assignment"]
    assert {name: each["ours"] for name, each in written["assignment"].items()} == {
        name: each["pair"] for name, each in ours.items()
    }


def own_suite(folder: Path, recipe: str) -> Path:
    suite = folder / "suite.yaml"
    suite.write_text(f"models: [qwen3_vl_tiny]\nmodelopt_recipe: {recipe}\n", encoding="utf-8")
    return suite


def test_a_suite_names_a_file_beside_it_and_guards_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(MINE, encoding="utf-8")
    suite = load_suite(own_suite(tmp_path, "mine.yaml"), SUITE.parents[1] / "models")
    assert [pair.name for pair in suite.pairs] == ["wfp8_afp8", "wint8_aint8"]
    assert len(suite) == 6
    assert [recipe.id for recipe in suite.recipes] == ["qwen3_vl_tiny-mine"]
    autoquant = suite.cases[0].autoquant
    assert (autoquant.score_size, autoquant.disabled_layers) == (16, ("*.0.mlp*",))
    changed = load_suite(suite.path, SUITE.parents[1] / "models", ["autoquant.score_size=8"])
    assert changed.cases[0].autoquant.score_size == 8


def test_disabled_layers_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(MINE, encoding="utf-8")
    of_recipe = ran(load_suite(own_suite(tmp_path, "mine.yaml"), SUITE.parents[1] / "models", [FEW]))
    manifest = of_recipe.results[0].manifest
    assert manifest is not None
    disabled = [name for name, entry in manifest["layer_sensitivity"].items() if entry["status"] == "disabled"]
    assert len(disabled) == 3
    assert all(".0.mlp." in name or name.startswith("lm_head") for name in disabled)
    assert manifest["scheme"]["disabled_layers"] == ["*.0.mlp*"]
    assert not any(".0.mlp" in name for name in of_recipe.beside.theirs)


@pytest.mark.parametrize(
    ("recipe", "content", "message"),
    [
        ("general/auto_quantize/nvfp4_fp8_at_5bits", None, "did you mean 'general/auto_quantize/nvfp4_fp8_at_5p4bits'"),
        ("general/ptq/fp8_default-kv_fp8_cast", None, "has no section 'auto_quantize'"),
        ("/", None, "is neither a file nor one that comes with ModelOpt"),
        ("x" * 300, None, "a path has at most"),
        ("mine.yaml", "[]", "must be 'key: value' lines"),
        ("mine.yaml", "metadata: {recipe_type: auto_quantize}\nauto_quantize: {}\n", "is refused by ModelOpt"),
        ("mine.yaml", "auto_quantize: {constraints: {}}\n", "is refused by ModelOpt"),
        ("mine.yaml", MINE.replace("presets/model/fp8", "presets/model/fp9"), "is refused by ModelOpt"),
        ("mine.yaml", MINE.replace("8.5", "99"), "is refused by ModelOpt"),
        ("mine.yaml", MINE.replace("8.5", "5.4, cost_model: kv_cache"), "searches a cache, and no weights"),
        ("mine.yaml", MINE + "x: &a [1,1,1,1,1,1,1,1,1,1]\ny: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n" + BOMB, "aliases"),
    ],
)
def test_a_wrong_recipe_is_one_line(tmp_path: Path, recipe: str, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / recipe).write_text(content, encoding="utf-8")
    with pytest.raises(InputError) as error:
        load_suite(own_suite(tmp_path, recipe), SUITE.parents[1] / "models")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_suite_with_a_recipe_names_no_pairs(tmp_path: Path) -> None:
    suite = own_suite(tmp_path, PLAIN)
    suite.write_text(suite.read_text(encoding="utf-8") + "pairs: [wfp8_afp8]\n", encoding="utf-8")
    with pytest.raises(InputError, match="brings its own pairs"):
        load_suite(suite, SUITE.parents[1] / "models")
