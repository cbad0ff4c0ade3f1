"""Recipes from committed manifests: budgets, pins, runtimes, what is refused and what is written. No torch."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.places import ROOT, SUITE
from tests.recipes.committed import WEIGHTS_ONLY, files, manifest_file

from auto_quantize_model import InputError, Recipe, solve_recipe
from auto_quantize_model.artifacts import RECIPE_FILES, RUNTIME_NAMES
from auto_quantize_model.cases.suite import load_runtime
from auto_quantize_model.manifest.document import read_manifest
from auto_quantize_model.recipes.candidates import Source, candidates
from auto_quantize_model.recipes.files import recipe_files, write_recipe
from auto_quantize_model.recipes.proof import Compared, Proof
from auto_quantize_model.recipes.report import verdict

if TYPE_CHECKING:
    from pathlib import Path

RUNTIMES = ("modelopt", "vllm", "tensorrt_llm", "sglang", "compressed_tensors", "llm_compressor")


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return solve_recipe(files(), budget=6)


def test_it_keeps_to_its_budget_and_is_proved_to_be_the_best(recipe: Recipe) -> None:
    totals = recipe.solved.totals
    assert totals.effective_bits <= 6
    assert recipe.solved.gap == pytest.approx(0, abs=1e-9)
    manifests = {pair: read_manifest(manifest_file(pair)) for pair in WEIGHTS_ONLY}
    predicted, bits, weights = 0.0, 0.0, 0.0
    for group, pair in recipe.assignment.items():
        entry = manifests[WEIGHTS_ONLY[0]]["layer_sensitivity"][f"{group}.quant_recipe"]
        weights += entry["costs"][1]
        its_bits = 16.0
        if pair != "none":
            entry = manifests[pair]["layer_sensitivity"][f"{group}.quant_recipe"]
            predicted += entry["predicted_kl"]
            its_bits = entry["costs"][0] / entry["costs"][1] * 16
        bits += its_bits * entry["costs"][1]
    assert predicted == pytest.approx(totals.predicted_kl)
    assert bits / weights == pytest.approx(totals.effective_bits)
    assert totals.ci95 is not None
    assert totals.ci95[0] < totals.predicted_kl < totals.ci95[1]


def test_the_same_manifests_give_the_same_bytes(recipe: Recipe) -> None:
    again = solve_recipe(list(files()), budget={"bits": 6})
    assert recipe_files(again, None) == recipe_files(recipe, None)


def test_more_bits_are_never_worse() -> None:
    predicted = [solve_recipe(files(), budget=bits).solved.totals.predicted_kl for bits in (4.5, 5, 6, 8, 12, 16)]
    assert predicted == sorted(predicted, reverse=True)
    assert predicted[-1] == 0


@pytest.mark.parametrize("unit", ["gigabytes", "share", "max_kl"])
def test_every_unit_of_budget_is_kept(unit: str, recipe: Recipe) -> None:
    totals = recipe.solved.totals
    parameters = recipe.choice.parameters
    limit = {
        "gigabytes": totals.gigabytes,
        "share": totals.gigabytes * 8e9 / (parameters * 16),
        "max_kl": totals.predicted_kl,
    }[unit]
    other = solve_recipe(files(), budget={unit: limit * (1 + 1e-9)}).solved.totals
    # The same recipe is allowed, so what is found is no worse than it.
    assert other.predicted_kl <= totals.predicted_kl * (1 + 1e-8)
    assert (other.effective_bits if unit == "max_kl" else other.gigabytes) <= limit * (1 + 1e-8) or unit != "gigabytes"
    if unit == "max_kl":
        assert other.effective_bits <= totals.effective_bits + 1e-9


def test_the_size_counts_every_parameter(recipe: Recipe) -> None:
    everything = solve_recipe(files(), budget=16).solved.totals.gigabytes
    assert everything == pytest.approx(recipe.choice.parameters * 2 / 1e9)


def test_the_front_leads_from_the_cheapest_to_the_unquantized(recipe: Recipe) -> None:
    points = recipe.front.points
    bits, predicted = ([getattr(each, key) for each in points] for key in ("effective_bits", "predicted_kl"))
    assert (bits[0], bits[-1], predicted[-1]) == (4.5, 16.0, 0.0)
    assert bits == sorted(bits)
    assert predicted == sorted(predicted, reverse=True)
    assert 0 < recipe.front.knee < len(points) - 1
    for point in points[:: len(points) // 6]:
        exact = solve_recipe(files(), budget=point.effective_bits + 1e-9).solved.totals
        assert exact.predicted_kl == pytest.approx(point.predicted_kl, rel=1e-9, abs=1e-15)


def test_stability_says_what_resamples_choose(recipe: Recipe) -> None:
    stability = recipe.solved.stability
    assert stability is not None
    assert stability.shares.sum(axis=1) == pytest.approx(1)
    chosen = [row[column] for row, column in zip(stability.shares, recipe.solved.chosen, strict=True)]
    assert sum(share > 0.5 for share in chosen) > 0.8 * len(chosen)


def test_without_probe_sums_what_is_not_known_is_said() -> None:
    manifests = [read_manifest(file) for file in files()]
    recipe = solve_recipe(manifests, budget=6)
    assert recipe.assignment == solve_recipe(files(), budget=6).assignment
    assert (recipe.solved.stability, recipe.solved.totals.ci95) == (None, None)
    written = recipe_files(recipe, None)
    document = json.loads(written["recipe.json"])
    assert (document["predicted_kl_ci95"], document["settled"]) == (None, None)
    assert {entry["stability"] for entry in document["assignment"].values()} == {None}
    assert "Not known: there are no probe sums" in written["recipe.md"]


def test_pins_hold_whatever_they_cost(recipe: Recipe) -> None:
    pins = ["*.layers.0.*=none", "*down_proj=wint8_afp16"]
    pinned = solve_recipe(files(), budget=8, pins=pins)
    for group, pair in pinned.assignment.items():
        if "down_proj" in group and ".layers.0." not in group:
            assert pair == "wint8_afp16"
        if ".layers.0." in group and "down_proj" not in group:
            assert pair == "none"
    assert pinned.solved.totals.predicted_kl >= solve_recipe(files(), budget=8).solved.totals.predicted_kl


def test_a_runtime_takes_what_it_runs_as_one_in_one_format() -> None:
    runtime = load_runtime("vllm", SUITE)
    recipe = solve_recipe(files("wfp4_afp16", "wfp8_afp8"), budget=6, runtime=runtime)
    by_fused: dict[str, set[str]] = {}
    for part, column in zip(recipe.choice.parts, recipe.solved.chosen, strict=True):
        for module in part.modules:
            parent, _, leaf = module.rpartition(".")
            kind = "qkv" if leaf in ("q_proj", "k_proj", "v_proj") else "gate_up" if leaf != "down_proj" else leaf
            if leaf != "o_proj":
                by_fused.setdefault(f"{parent}.{kind}", set()).add(recipe.choice.pairs[column])
    assert {len(pairs) for pairs in by_fused.values()} == {1}
    exported = json.loads(recipe_files(recipe, None)["hf_quant_config.json"])["quantization"]
    assert exported["quant_algo"] == "MIXED_PRECISION"
    assert {each["quant_algo"] for each in exported["quantized_layers"].values()} == {"W4A16_NVFP4", "FP8"}
    quantized = {module for pair in ("wfp4_afp16", "wfp8_afp8") for module in recipe.modules_of(pair)}
    assert set(exported["quantized_layers"]) == quantized


@pytest.mark.parametrize("pairs", [("wfp8_afp8", "wint8_afp8"), ("wint8_afp8", "wfp8_afp8")])
def test_a_pair_that_a_runtime_cannot_serve_is_refused_wherever_it_stands(pairs: tuple[str, str]) -> None:
    runtime = load_runtime("vllm", SUITE)
    with pytest.raises(InputError, match=r"vllm cannot serve 'wint8_afp8': .*The nearest: wfp8_afp8"):
        solve_recipe(files(*pairs), budget=9, runtime=runtime)


@pytest.mark.parametrize("name", RUNTIMES)
def test_every_runtime_gets_a_recipe(name: str) -> None:
    runtime = load_runtime(name, SUITE)
    files_of = recipe_files(solve_recipe(files("wfp8_afp8"), budget=9, runtime=runtime), None)
    own = {"modelopt_recipe": "modelopt_recipe.yaml", "hf_quant_config": "hf_quant_config.json"}
    own["compressed_tensors"] = "quantization_config.json"
    own["llm_compressor"] = "llm_compressor_recipe.yaml"
    assert {name for name in files_of if name in RUNTIME_NAMES.values()} == {own[runtime.writes]}


@pytest.mark.parametrize("name", RUNTIMES)
def test_every_profile_says_where_each_rule_is_from(name: str) -> None:
    runtime = load_runtime(name, SUITE)
    assert runtime.mixes_source
    assert runtime.names_source
    assert all(served.source for served in runtime.pairs.values())
    assert not set(runtime.pairs) & set(runtime.refused)
    assert not runtime.fused or runtime.fused_source


def broken(change: Any) -> list[dict[str, Any]]:
    manifests = [read_manifest(file) for file in files()]
    change(manifests[1])
    return manifests


def set_key(*keys: str, value: Any) -> Any:
    def change(manifest: dict[str, Any]) -> None:
        inner: Any = manifest
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_key("model", "checkpoint_sha256", value="0" * 64), "model.checkpoint_sha256 is '000"),
        (set_key("case", "size", value="large"), "case.size is 'large', that of .* is 'medium'"),
        (set_key("scheme", "auto_quantize_method", value="kl_div"), "auto_quantize_method is 'kl_div'"),
        (set_key("calibration", "captions_sha256", value="0" * 64), "calibration.captions_sha256"),
        (set_key("case", "pair", value="wfp4_afp16"), "the pair 'wfp4_afp16' is given twice"),
    ],
)
def test_manifests_that_do_not_belong_together_are_refused(change: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        solve_recipe(broken(change), budget=6)
    assert "\n" not in str(caught.value)


def test_a_score_that_is_not_finite_is_refused() -> None:
    manifests = [read_manifest(file) for file in files()]
    entry = next(iter(manifests[1]["layer_sensitivity"].values()))
    entry |= {"status": "non_finite", "importance": None, "predicted_kl": None}
    with pytest.raises(InputError, match=r"q_proj is not finite; leave the pair 'wfp8_afp16' out"):
        candidates([Source(each, None, "here") for each in manifests])


def test_a_group_that_no_pair_measured_stays_as_it_is() -> None:
    manifests = [read_manifest(file) for file in files()]
    for manifest in manifests:
        entry = next(iter(manifest["layer_sensitivity"].values()))
        entry |= {"status": "not_exercised", "importance": None, "predicted_kl": None}
    choice = candidates([Source(each, None, "here") for each in manifests])
    assert choice.parts[0].why_left_out is not None
    assert "not_exercised" in choice.parts[0].why_left_out
    assert [math.isinf(each) for each in choice.predicted[0]] == [True, True, True, False]


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        (3, "3 bits is below the least that these pairs can do, which is 4.5; allow that"),
        ({"gigabytes": 1e-4}, "below the least that these pairs can do, which is 0.00175"),
        ({"bits": 5, "share": 0.5}, "one budget"),
        ({"pounds": 5}, "one of bits, gigabytes, share, max_kl"),
        (float("nan"), "a number above 0"),
        (-1, "a number above 0"),
    ],
)
def test_a_budget_that_cannot_be_is_one_line(budget: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        solve_recipe(files(), budget=budget)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("pin", "message"),
    [
        ("nowhere=none", "matches none of the 32 groups"),
        ("*=wfp8_afp1", "did you mean 'wfp8_afp16'"),
        ("*", "a pin is written PATTERN=PAIR"),
    ],
)
def test_a_pin_that_cannot_be_is_one_line(pin: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        solve_recipe(files(), budget=6, pins=[pin])


def test_sums_of_another_manifest_are_refused(tmp_path: Path) -> None:
    source, other = files("wfp4_afp16", "wfp8_afp16")
    for file in source.parent.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    theirs = next(other.parent.glob("*.safetensors"))
    mine = next(tmp_path.glob("*.safetensors"))
    mine.write_bytes(theirs.read_bytes())
    with pytest.raises(InputError, match=rf"{mine}: gives .* is not this manifest's own"):
        solve_recipe([tmp_path / source.name], budget=6)


def test_what_another_recipe_left_is_not_mixed_up(recipe: Recipe, tmp_path: Path) -> None:
    runtime = load_runtime("modelopt", SUITE)
    write_recipe(tmp_path, recipe_files(solve_recipe(files(), budget=6, runtime=runtime), None))
    with pytest.raises(InputError, match=r"modelopt_recipe\.yaml: of another recipe"):
        write_recipe(tmp_path, recipe_files(recipe, None))
    assert {path.name for path in tmp_path.iterdir()} <= set(RECIPE_FILES)


def proof(ratio: float, ratio_ci95: tuple[float, float]) -> Proof:
    interval = [0.0009, 0.0011]
    measured = {
        "kl": 0.001,
        "kl_ci95": interval,
        "loss_change": 0.001,
        "loss_change_ci95": interval,
        "top1_agreement": 0.99,
        "top1_agreement_ci95": [0.98, 1.0],
        "captions": {"file": "x.txt", "samples": 4, "loss_tokens": 40, "sha256": "a" * 64},
    }
    return Proof(measured, (Compared("wfp8_afp16", 5.9, 0.001 * ratio, ratio, ratio_ci95, is_pair=True),))


def test_a_recipe_that_a_pair_alone_beats_says_so_first(recipe: Recipe) -> None:
    beaten = proof(0.5, (0.4, 0.6))
    page = recipe_files(recipe, beaten)["recipe.md"].splitlines()
    assert page[2].startswith("**Do not use this recipe:** `wfp8_afp16` alone has a measured KL of 0.0005")
    # Within the interval it may be no better.
    assert verdict(recipe, proof(0.9, (0.7, 1.1))).startswith("Measured KL 0.001")
    assert json.loads(recipe_files(recipe, beaten)["recipe.json"])["measured"]["kl"] == 0.001


def test_solving_imports_neither_torch_nor_scipys_optimizers() -> None:
    code = (
        "import sys; from auto_quantize_model import solve_recipe;"
        "from auto_quantize_model.recipes.files import recipe_files;"
        f"recipe_files(solve_recipe({[str(file) for file in files()]!r}, budget=6), None);"
        "assert {'torch', 'pytest', 'scipy.optimize'}.isdisjoint(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)  # noqa: S603
