"""Guarded recipes as a suite's author meets them: published, then still the same, then not."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

# pytester forgets what a test imports, and compiled modules cannot be imported twice.
import scipy.optimize  # noqa: F401
from tests.places import ROOT, TINY

from auto_quantize_model import load_suite
from auto_quantize_model.recipes.files import recipe_files
from auto_quantize_model.recipes.guarding import solve_committed
from auto_quantize_model.recipes.proof import Proof
from auto_quantize_model.whole_files import write_files

if TYPE_CHECKING:
    from pathlib import Path

PAIRS = ("wfp4_afp16", "wint8_afp16")
SUITE = """models: [qwen3_vl_tiny]
pairs: [wfp4_afp16, wint8_afp16]
sizes: [small, medium]
recipes: [mine]
"""
RECIPE = "budget: {bits: 6}\npairs: [wfp4_afp16, wint8_afp16]\nsize: small\nruntime: modelopt\n"


CAPTIONS = {"file": "x.txt", "samples": 4, "loss_tokens": 40, "sha256": "a" * 64}
KL = {
    "kl": 2e-3,
    "kl_ci95": [1e-3, 3e-3],
    "loss_change": 0.0,
    "loss_change_ci95": [0.0, 0.0],
    "top1_agreement": 1.0,
    "top1_agreement_ci95": [1.0, 1.0],
    "captions": CAPTIONS,
}
"""What is said of a measurement."""


@pytest.fixture
def guarded(pytester: pytest.Pytester) -> pytest.Pytester:
    """A suite with the embedded model's baselines of two pairs, and a recipe of them."""
    root = pytester.path
    (root / "suite.yaml").write_text(SUITE, encoding="utf-8")
    (root / "conf" / "recipe").mkdir(parents=True)
    (root / "conf" / "recipe" / "mine.yaml").write_text(RECIPE, encoding="utf-8")
    shutil.copy(ROOT / "sensitivity_cases" / "test_sensitivity_recipes.py", root / "test_recipes.py")
    model = root / "models" / "qwen3_vl_tiny"
    shutil.copytree(TINY / "checkpoint", model / "checkpoint")
    shutil.copy(TINY / "model.yaml", model)
    for pair in PAIRS:
        for folder in TINY.glob(f"layer-analysis/*/*_{pair}_lm_*"):
            shutil.copytree(folder, model / folder.relative_to(TINY))
    return pytester


def folder_of(guarded: pytest.Pytester) -> Path:
    return guarded.path / "models" / "qwen3_vl_tiny" / "recipes" / "mine"


@pytest.mark.usefixtures("warm_python")
def test_a_recipe_is_published_and_guarded(guarded: pytest.Pytester) -> None:
    missing = guarded.runpytest_subprocess("-k", "drift")
    missing.assert_outcomes(failed=1)
    missing.stdout.fnmatch_lines(
        [
            "*recipes*mine: no such recipe is committed*",
            "to make it anew: pytest -m gpu * -k qwen3_vl_tiny-mine --publish",
        ]
    )
    guarded.runpytest_subprocess("-m", "gpu", "--publish", "--sensitivity-device", "cpu").assert_outcomes(passed=1)
    document = json.loads((folder_of(guarded) / "recipe.json").read_text(encoding="utf-8"))
    assert document["measured"]["kl"] == pytest.approx(document["predicted_kl"], rel=0.5)
    assert {path.name for path in folder_of(guarded).iterdir()} == {
        *("recipe.yaml", "recipe.json", "recipe.md", "recipe.svg", "pareto.json", "quant_cfg.json"),
        "modelopt_recipe.yaml",
    }
    again = guarded.runpytest_subprocess("--sensitivity-device", "cpu", "-n2", "--dist", "loadgroup")
    again.assert_outcomes(passed=2)


@pytest.mark.usefixtures("light_python")
def test_what_drifts_is_named(guarded: pytest.Pytester) -> None:
    (case,) = load_suite(guarded.path / "suite.yaml").recipes
    write_files(case.folder, recipe_files(solve_committed(case), None))
    guarded.runpytest_subprocess("-m", "not gpu").assert_outcomes(passed=1)
    file = case.folder / "recipe.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    group, entry = next(iter(document["assignment"].items()))
    others = {"wfp4_afp16", "wint8_afp16"} - {entry["pair"]}
    entry["pair"] = others.pop()
    document["predicted_kl"] *= 1.01
    file.write_text(json.dumps(document), encoding="utf-8")
    (case.folder / "quant_cfg.json").unlink()
    result = guarded.runpytest_subprocess("-m", "not gpu")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            f"*{group}: committed {entry['pair']}, the manifests give*",
            "recipe.json: predicted_kl is*",
            "*quant_cfg.json: missing",
        ]
    )


MEASURES = """
import json
from pathlib import Path
from auto_quantize_model.errors import InputError
from auto_quantize_model.plugin.recipe_check import RecipeCheck
from auto_quantize_model.recipes.proof import proof_from

def prove(self, recipe):
    found = json.loads(Path("found.json").read_text(encoding="utf-8"))
    if isinstance(found, str):
        raise InputError(found)
    return proof_from(found)

RecipeCheck._prove = prove
"""
"""A suite's conftest.py that measures what a file says."""


@pytest.mark.usefixtures("light_python")
@pytest.mark.parametrize(
    ("committed", "found", "message"),
    [
        ({}, {}, None),
        ({}, {"kl": 2.9e-3, "kl_ci95": [1.9e-3, 4e-3]}, None),
        (
            {},
            {"kl": 3.1e-3, "kl_ci95": [1.9e-3, 4e-3]},
            "*its measured KL is 0.0031, committed 0.002 with an interval of 0.001 to 0.003*",
        ),
        (
            {"kl_ci95": None},
            {"kl": 3.1e-3, "kl_ci95": None},
            "*its measured KL is 0.0031, committed 0.002",
        ),
        ({}, {"captions": {**CAPTIONS, "sha256": "b" * 64}}, "*it was measured on other captions*"),
        (None, {}, "*the committed recipe was never measured*"),
        ({}, "no captions to measure on", "*qwen3_vl_tiny-mine: no captions to measure on*"),
    ],
    ids=[
        "the same",
        "within its interval",
        "beyond it",
        "no interval",
        "other captions",
        "never measured",
        "not measurable",
    ],
)
def test_what_is_measured_is_held_against_what_is_committed(
    guarded: pytest.Pytester, committed: dict[str, Any] | None, found: Any, message: str | None
) -> None:
    (case,) = load_suite(guarded.path / "suite.yaml").recipes
    proof = None if committed is None else Proof(KL | committed, ())
    write_files(case.folder, recipe_files(solve_committed(case), proof))
    (guarded.path / "conftest.py").write_text(MEASURES, encoding="utf-8")
    document = found if isinstance(found, str) else {"measured": KL | found, "compared": None}
    (guarded.path / "found.json").write_text(json.dumps(document), encoding="utf-8")
    before = (case.folder / "recipe.json").read_bytes()
    result = guarded.runpytest_subprocess("-m", "gpu", "--sensitivity-device", "cpu")
    result.assert_outcomes(**{"passed" if message is None else "failed": 1})
    if message is not None:
        result.stdout.fnmatch_lines([message])
    assert (case.folder / "recipe.json").read_bytes() == before


@pytest.mark.usefixtures("light_python")
def test_a_recipe_that_a_pair_alone_beats_is_not_published(guarded: pytest.Pytester) -> None:
    (case,) = load_suite(guarded.path / "suite.yaml").recipes
    (guarded.path / "conftest.py").write_text(MEASURES, encoding="utf-8")
    pair = {"name": "wfp4_afp16", "effective_bits": 4.0, "kl": 1e-3, "ratio": 0.5, "ratio_ci95": [0.4, 0.6]}
    document = {"measured": KL, "compared": [{**pair, "is_pair": True}]}
    (guarded.path / "found.json").write_text(json.dumps(document), encoding="utf-8")
    result = guarded.runpytest_subprocess("-m", "gpu", "--sensitivity-device", "cpu", "--publish")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*'wfp4_afp16' alone has a measured KL of 0.001 at 4 bits*not worth having*"])
    assert not case.folder.exists()


@pytest.mark.usefixtures("light_python")
def test_its_files_are_made_anew_without_measuring(guarded: pytest.Pytester) -> None:
    (case,) = load_suite(guarded.path / "suite.yaml").recipes
    files = recipe_files(solve_committed(case), Proof(KL, ()))
    write_files(case.folder, files | {"recipe.svg": "of another version", "recipe.md": "", "pareto.json": "{}"})
    drifted = guarded.runpytest_subprocess("-m", "not gpu")
    drifted.stdout.fnmatch_lines(
        [
            "*recipe.svg: not the figure of the files beside it",
            "to make it anew: pytest -m gpu * -k qwen3_vl_tiny-mine --sensitivity-report-only --publish",
        ]
    )
    again = ("-m", "gpu", "--sensitivity-report-only")
    guarded.runpytest_subprocess(*again, "--sensitivity-output", "out").assert_outcomes(passed=1)
    assert {file.name for file in (guarded.path / "out" / "qwen3_vl_tiny" / "recipes" / "mine").iterdir()} == set(files)
    assert (case.folder / "recipe.md").read_text(encoding="utf-8") == ""
    guarded.runpytest_subprocess(*again, "--publish").assert_outcomes(passed=1)
    assert {name: (case.folder / name).read_text(encoding="utf-8") for name in files} == files
    assert "measured 0.0020 nats" in files["recipe.svg"]
    guarded.runpytest_subprocess("-m", "not gpu").assert_outcomes(passed=1)


@pytest.mark.usefixtures("light_python")
def test_a_proof_of_another_recipe_is_not_taken_over(guarded: pytest.Pytester) -> None:
    (case,) = load_suite(guarded.path / "suite.yaml").recipes
    files = recipe_files(solve_committed(case), None)
    write_files(case.folder, files | {"recipe.json": files["recipe.json"].replace('"wfp4_afp16"', '"wint8_afp16"')})
    before = (case.folder / "recipe.json").read_bytes()
    result = guarded.runpytest_subprocess("-m", "gpu", "--sensitivity-report-only", "--publish")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*mine: the manifests give another recipe than the one that was measured*"])
    assert (case.folder / "recipe.json").read_bytes() == before


@pytest.mark.usefixtures("light_python")
@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("budget: {bits: 6, share: 0.5}\npairs: [wfp4_afp16]\n", "*budget: a recipe has one budget*"),
        ("budget: {bits: 6}\npairs: [wfp4_afp1]\n", "*recipe 'mine': pair 'wfp4_afp1' is unknown; did you mean*"),
        ("budget: {bits: 6}\npairs: [wfp4_afp16]\nruntime: vlm\n", "*runtime 'vlm' is unknown; did you mean 'vllm'?*"),
    ],
)
def test_a_wrong_recipe_is_one_line(guarded: pytest.Pytester, recipe: str, message: str) -> None:
    (guarded.path / "conf" / "recipe" / "mine.yaml").write_text(recipe, encoding="utf-8")
    result = guarded.runpytest_subprocess("--collect-only", "-q")
    result.stdout.fnmatch_lines([message])
    assert "Traceback" not in result.stdout.str()


@pytest.mark.usefixtures("light_python")
def test_probe_sums_that_are_gone_are_told_without_a_traceback(guarded: pytest.Pytester) -> None:
    (case,) = load_suite(guarded.path / "suite.yaml").recipes
    write_files(case.folder, recipe_files(solve_committed(case), None))
    for file in guarded.path.rglob("*_wint8_afp16_lm_small/*_probe_sums.safetensors"):
        file.unlink()
    result = guarded.runpytest_subprocess("-m", "not gpu")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "qwen3_vl_tiny-mine: recipe.json: predicted_kl_ci95 is*the manifests give None",
            "recipe.json: assignment.*.shares is {*}, the manifests give None",
        ]
    )
    assert "TypeError" not in result.stdout.str()
