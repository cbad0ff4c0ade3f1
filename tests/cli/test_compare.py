from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.places import LEGACY, TINY

from auto_quantize_model.cli import main
from auto_quantize_model.manifest.document import dumps, read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GROUP = "model.language_model.layers.0.mlp.gate_proj"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a models tree of four cases in it, where the commands run; no suite."""
    for pair in ("wfp8_afp8", "wfp8_afp16"):
        for size in ("small", "medium"):
            (folder,) = TINY.glob(f"layer-analysis/*/*_autoquant_{pair}_lm_{size}")
            shutil.copytree(folder, tmp_path / "models" / folder.relative_to(TINY.parent))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def compare(*words: str | Path) -> tuple[int, str, str]:
        status = main(["compare", *map(str, words)])
        return status, *capsys.readouterr()

    return compare


def file_of(tree: Path, pair: str, size: str = "small") -> Path:
    (file,) = tree.glob(f"**/*_autoquant_{pair}_lm_{size}/*_quant_manifest.json")
    return file


def change(file: Path, edit: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    manifest = read_manifest(file)
    edit(manifest)
    file.write_text(dumps(manifest), encoding="utf-8")
    return manifest


def raise_group(manifest: dict[str, Any], factor: float = 1.03) -> None:
    manifest["layer_sensitivity"][f"{GROUP}.quant_recipe"]["importance"] *= factor


def git(*words: str) -> None:
    name = ("-c", "user.name=me", "-c", "user.email=me@example.org", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *name, *words], check=True, capture_output=True)  # noqa: S603, S607


def test_a_folder_and_itself_are_identical(tree: Path, run: Any) -> None:
    for one, other in (("models", "models"), ("models", "models/qwen3_vl_tiny/layer-analysis")):
        status, out, _ = run(one, other, "--format", "json")
        report = json.loads(out)
        assert (status, report["verdict"], len(report["cases"])) == (0, "identical", 4)
        assert report["only_a"] == report["only_b"] == []
        assert all(case["a"] == case["b"] for case in report["cases"])


@pytest.mark.parametrize(
    ("factor", "status", "verdict"), [(1 + 1e-6, 0, "within_noise"), (1.03, 1, "drift"), (0.97, 1, "drift")]
)
def test_the_exit_status_is_the_worst_verdict_of_the_cases(
    tree: Path, run: Any, factor: float, status: int, verdict: str
) -> None:
    shutil.copytree(tree / "models", tree / "new")
    change(file_of(tree / "new", "wfp8_afp8"), lambda manifest: raise_group(manifest, factor))
    found, out, _ = run("models", "new", "--format", "json")
    report = json.loads(out)
    assert (found, report["verdict"]) == (status, verdict)
    by_case = {case["b"]: case for case in report["cases"]}
    assert {name for name, case in by_case.items() if case["verdict"] != "identical"} == {
        "qwen3_vl_tiny-wfp8_afp8-small"
    }
    worst = by_case["qwen3_vl_tiny-wfp8_afp8-small"]["groups"][0]
    assert (worst["group"], worst["measure"], worst["within"]) == (GROUP, "importance", status == 0)
    assert worst["b"] / worst["a"] == pytest.approx(factor, rel=1e-9)
    assert worst["ratio"] == pytest.approx(factor, rel=1e-9)


@pytest.mark.parametrize("form", ["table", "markdown", "json"])
def test_every_form_says_what_and_why_and_goes_to_a_file_too(tree: Path, run: Any, form: str) -> None:
    old, new = file_of(tree, "wfp8_afp16"), file_of(tree, "wfp8_afp8")
    status, out, _ = run(old, new, "--format", form)
    assert status == 1
    worst = "model.language_model.layers.5.self_attn.q_proj"
    for word in ("incomparable", "the pair's resolved config", "quantization.config_sha256", worst, "0.998"):
        assert word in out, word
    assert run(old, new, "--format", form, "--output", "there/comparison.txt") == (
        1,
        "wrote there/comparison.txt\n",
        "",
    )
    assert (tree / "there" / "comparison.txt").read_text(encoding="utf-8") == out


def test_a_comment_of_a_pull_request_says_what_moved_and_folds_why(tree: Path, run: Any) -> None:
    shutil.copytree(tree / "models", tree / "new")
    assert "none of 4 cases moved beyond noise" in run("models", "new", "--format", "github")[1]
    change(file_of(tree / "new", "wfp8_afp8"), lambda manifest: raise_group(manifest, 1.03))
    status, out, _ = run("models", "new", "--format", "github")
    assert status == 1
    assert out.startswith("### Quantization sensitivity: 1 of 4 cases moved\n")
    assert "|qwen3_vl_tiny-wfp8_afp8-small|**drift**|" in out
    assert f"x1.030 {GROUP}" in out
    assert out.count("<details>") == out.count("</details>") == 1


def test_a_comment_fits_into_github_and_shows_names_as_text(tree: Path, run: Any, monkeypatch: Any) -> None:
    shutil.copytree(tree / "models", tree / "new")
    change(file_of(tree / "new", "wfp8_afp8"), lambda manifest: raise_group(manifest, 1.03))
    change(file_of(tree / "new", "wfp8_afp16"), lambda manifest: raise_group(manifest, 1.03))
    whole = run("models", "new", "--format", "github")[1]
    assert "left out" not in whole
    for largest, rest in ((len(whole) - 1, "1 more case"), (600, "2 more cases")):
        monkeypatch.setattr("auto_quantize_model.comparison.github.LARGEST", largest)
        out = run("models", "new", "--format", "github")[1]
        assert out.endswith(f"\nAnd {rest}, left out here for their length.\n")
        assert len(out) < largest + 100


def test_markdown_has_every_number_of_both(tree: Path, run: Any) -> None:
    old, new = file_of(tree, "wfp8_afp16"), file_of(tree, "wfp8_afp8")
    _, out, _ = run(old, new, "--format", "markdown")
    rows = [line.strip("|").split("|") for line in out.splitlines() if line.startswith("|model.")]
    assert len(rows) == 2 * 32
    numbers = [read_manifest(file)["layer_sensitivity"] for file in (old, new)]
    for group, measure, *shown in rows:
        assert shown[:2] == [f"{each[f'{group}.quant_recipe'][measure]:.4e}" for each in numbers]


def test_markdown_of_several_cases_has_a_section_of_those_that_differ(tree: Path, run: Any) -> None:
    shutil.copytree(tree / "models", tree / "new")
    change(file_of(tree / "new", "wfp8_afp8"), lambda manifest: raise_group(manifest, 1.03))
    change(file_of(tree / "new", "wfp8_afp16"), lambda manifest: raise_group(manifest, 1 + 1e-6))
    shutil.rmtree(file_of(tree / "new", "wfp8_afp16", "medium").parent)
    _, out, _ = run("models", "new", "--format", "markdown")
    assert "- **Verdict:** drift" in out
    assert "- **Only in A:** `qwen3_vl_tiny-wfp8_afp16-medium`" in out
    assert "Only in B" not in out
    cases = [f"qwen3_vl_tiny-{pair}-{size}" for pair, size in (("wfp8_afp16", "small"), ("wfp8_afp8", "small"))]
    assert [line for line in out.splitlines() if line.startswith("## ")] == [f"## {case}" for case in cases]
    assert sum(line.startswith("|qwen3_vl_tiny-") for line in out.splitlines()) == 3
    comment = run("models", "new", "--format", "github")[1]
    assert "Only in `models`: 1 case." in comment
    assert "Only in `new`" not in comment


@pytest.mark.parametrize(
    ("one", "other", "cases"),
    [
        ("weight-fp8-act-fp8", "weight-fp8-act-fp16", 2),
        ("weight-fp8-act-fp8/*_small", "weight-fp8-act-fp8/*_medium", 1),
        ("weight-fp8-act-fp8/*_small", "weight-fp8-act-fp16/*_medium", 1),
    ],
)
def test_other_pairs_and_sizes_are_shown_side_by_side(tree: Path, run: Any, one: str, other: str, cases: int) -> None:
    old, new = (next((tree / "models/qwen3_vl_tiny/layer-analysis").glob(each)) for each in (one, other))
    status, out, _ = run(old, new, "--format", "json")
    report = json.loads(out)
    assert (status, report["verdict"], len(report["cases"])) == (1, "incomparable", cases)
    for case in report["cases"]:
        assert len({group["group"] for group in case["groups"]}) == 32
        assert 0.9 < case["spearman"] < 1
        assert case["causes"][0]["differences"]


def test_other_models_meet_by_their_layers(tree: Path, run: Any) -> None:
    def make_other(manifest: dict[str, Any]) -> None:
        text = json.dumps(manifest).replace("model.language_model.layers", "model.layers").replace("qwen3_vl", "llama")
        manifest.clear()
        manifest.update(json.loads(text))
        manifest["model"] = {"id": "llama_tiny", "family": "causal_lm", "checkpoint_sha256": "f" * 64, "parameters": 1}

    shutil.copytree(tree / "models", tree / "new")
    for file in (tree / "new").rglob("*_quant_manifest.json"):
        change(file, make_other)
    status, out, _ = run("models", "new", "--format", "json")
    report = json.loads(out)
    assert (status, len(report["cases"])) == (1, 4)
    for case in report["cases"]:
        assert case["a"].replace("qwen3_vl", "llama") == case["b"]
        assert case["causes"][0]["cause"] == "the checkpoint"
        assert len(case["groups"]) == 2 * 32
        assert case["spearman"] == pytest.approx(1)


def test_cases_that_only_one_has_are_named_and_decide_nothing(tree: Path, run: Any) -> None:
    shutil.copytree(tree / "models", tree / "new")
    shutil.rmtree(file_of(tree / "new", "wfp8_afp8").parent)
    shutil.rmtree(file_of(tree / "models", "wfp8_afp16").parent)
    status, out, _ = run("models", "new")
    assert status == 0
    assert "only in models: qwen3_vl_tiny-wfp8_afp8-small\n" in out
    assert "only in new: qwen3_vl_tiny-wfp8_afp16-small\n" in out
    for form in ("markdown", "json"):
        assert "qwen3_vl_tiny-wfp8_afp16-small" in run("models", "new", "--format", form)[1]


def test_revisions_are_read_without_touching_the_work_tree(tree: Path, run: Any) -> None:
    git("init")
    git("add", ".")
    git("commit", "-m", "first")
    git("tag", "v1")
    file = file_of(tree, "wfp8_afp8")
    change(file, raise_group)
    git("commit", "-am", "second")
    change(file, lambda manifest: raise_group(manifest, 0.5))
    dirty = file.read_bytes()
    below = file.relative_to(tree).as_posix()
    expected = {
        ("HEAD~1", "HEAD"): 1.03,
        ("v1:models", "HEAD:models/qwen3_vl_tiny"): 1.03,
        ("HEAD", "models"): 0.5,
        (f"v1:{below}", f"HEAD:{below}"): 1.03,
        (f"v1:{below}", below): 1.03 * 0.5,
        ("v1", below): 1.03 * 0.5,
    }
    for pair, ratio in expected.items():
        status, out, _ = run(*pair, "--format", "json")
        assert status == 1
        (drifted,) = [case for case in json.loads(out)["cases"] if case["verdict"] == "drift"]
        assert drifted["groups"][0]["ratio"] == pytest.approx(ratio)
    assert run("v1", "HEAD~1")[0] == 0
    assert file.read_bytes() == dirty
    changed = subprocess.run(["git", "status", "--porcelain"], check=True, capture_output=True, text=True)  # noqa: S607
    assert changed.stdout == f" M {below}\n"


def test_what_the_last_publish_changed(tree: Path, run: Any) -> None:
    ask = ("--last-publish", "models/qwen3_vl_tiny")
    git("init")
    git("add", ".")
    git("commit", "-m", "first")
    assert "knows of nothing before the last publish" in run(*ask)[2]
    file = file_of(tree, "wfp8_afp8")
    change(file, raise_group)
    status, out, _ = run(*ask)
    assert status == 1
    assert out.startswith("last publish: not committed yet\n")
    git("commit", "-am", "Score anew: a|b")
    # Neither a report nor another folder is a publish.
    (file.parent / "per-layer-sensitivity.md").write_text("another form", encoding="utf-8")
    (tree / "elsewhere").write_text("", encoding="utf-8")
    git("add", ".")
    git("commit", "-m", "third")
    status, out, _ = run(*ask)
    assert status == 1
    assert re.match(r"last publish: [0-9a-f]{7,} of \d{4}-\d\d-\d\d: Score anew: a\|b\n", out)
    assert [line.count(" identical ") for line in out.splitlines()].count(1) == 3
    assert "layers.0.mlp.gate_proj" in out
    report = json.loads(run(*ask, "--format", "json")[1])
    (drifted,) = [case for case in report["cases"] if case["verdict"] == "drift"]
    assert drifted["groups"][0]["ratio"] == pytest.approx(1.03)


def test_the_last_publish_is_asked_for_alone_and_in_a_repository(tree: Path, run: Any) -> None:
    (tree / "empty").mkdir()
    for words, message in (
        (("--last-publish",), "models: not in a git repository"),
        (("models", "--last-publish"), "leave 'models' out"),
        (("models",), "name two sources"),
        (("--last-publish", "nowhere"), "nowhere: no folder"),
    ):
        status, out, err = run(*words)
        assert (status, out) == (2, "")
        assert message in err
        assert err.count("\n") == 1
    git("init")
    assert "empty: no commit has a manifest of it" in run("--last-publish", "empty")[2]


def test_manifests_of_an_earlier_version_of_the_schema_are_still_compared(tree: Path, run: Any) -> None:
    def forget(manifest: dict[str, Any]) -> None:
        for entry in manifest["layer_sensitivity"].values():
            del entry["rank_ci95"]

    shutil.copytree(tree / "models", tree / "earlier")
    for file in (tree / "earlier").rglob("*_quant_manifest.json"):
        change(file, forget)
    status, out, _ = run("earlier", "models", "--format", "json")
    assert (status, len(json.loads(out)["cases"])) == (0, 4)


def test_a_revision_is_read_from_a_folder_below_too(tree: Path, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    git("init")
    git("add", ".")
    git("commit", "-m", "first")
    monkeypatch.chdir(tree / "models" / "qwen3_vl_tiny")
    status, out, _ = run("HEAD", ".", "--format", "json")
    assert (status, len(json.loads(out)["cases"])) == (0, 4)


def test_an_older_folder_meets_a_newer_one_by_its_name(tree: Path, run: Any) -> None:
    shutil.copytree(tree / "models", tree / "old")
    for file in (tree / "old").rglob("*_quant_manifest.json"):
        manifest = read_manifest(file)
        older = {key: manifest[key] for key in ("scheme", "autoquant_state")}
        older["layer_sensitivity"] = {
            name.removeprefix("model.language_model."): {key: entry[key] for key in ("formats", "costs", "importance")}
            for name, entry in manifest["layer_sensitivity"].items()
            if entry["status"] == "scored"
        }
        file.write_text(dumps(older), encoding="utf-8")
    status, out, _ = run("old", "models", "--format", "json")
    report = json.loads(out)
    assert (status, report["verdict"], len(report["cases"])) == (0, "identical", 4)
    assert report["cases"][0]["only_one_states"]


@pytest.mark.skipif(not LEGACY.is_dir(), reason="needs the older tool's published results")
def test_published_results_are_compared(run: Any) -> None:
    status, out, _ = run(LEGACY, LEGACY, "--format", "json")
    assert (status, len(json.loads(out)["cases"])) == (0, 3)
    status, out, _ = run(LEGACY / "wfp8_afp8", LEGACY / "qwen3_vl_4b_instruct_autoquant_wfp8_afp16_lm_small")
    assert status == 1
    assert "Spearman's correlation of the two: 0.9969" in out
    assert not any("visual" in line for line in out.splitlines() if "not measured" not in line)


def test_the_suites_tolerances_hold(tree: Path, run: Any) -> None:
    old, new = file_of(tree, "wfp8_afp8"), tree / "new.json"
    shutil.copy(old, new)
    change(new, lambda manifest: raise_group(manifest, 1.001))
    assert run(old, new)[0] == 1
    (tree / "sensitivity_cases").mkdir()
    suite = tree / "sensitivity_cases" / "suite.yaml"
    shutil.copy(TINY / "model.yaml", tree / "models" / "qwen3_vl_tiny")
    suite.write_text(
        "models: [qwen3_vl_tiny]\ntolerances: {same_environment: {group: 0.002, total: 0.01}}\n", encoding="utf-8"
    )
    assert run(old, new)[0] == 0
    shutil.move(suite, tree / "other.yaml")
    assert run(old, new)[0] == 1
    assert run(old, new, "--suite", "other.yaml")[0] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("modls", "models"), "modls: neither a file, a folder nor a git revision here; did you mean 'models'?"),
        (("models", "no/such/place"), "no/such/place: neither a file, a folder nor a git revision here; give FILE"),
        (("", "models"), "neither a file, a folder nor a git revision"),
        (("models", "empty"), "empty: holds no *_quant_manifest.json"),
        (("models", "broken.json"), "broken.json: not valid JSON"),
        (("models", "a\0b"), "embedded null"),
        (("HEAD:nothing", "models"), "HEAD:nothing: the revision HEAD has no 'nothing'"),
        (("HEAD:other.txt", "models"), "HEAD:other.txt: not valid JSON"),
        (("nope:models", "models"), "nope:models: neither a file, a folder nor a git revision here"),
        (("models", "lone.json"), "models: has no case qwen3_vl_tiny-wfp8_afp8-large; did you mean 'qwen3_vl_tiny-"),
        (("models", "models", "--output", "empty"), "empty: a folder; give --output a file"),
        (("models", "models", "--suite", "none.yaml"), "none.yaml: no such file"),
    ],
)
def test_wrong_input_is_one_line(tree: Path, run: Any, words: tuple[str, ...], message: str) -> None:
    (tree / "empty").mkdir()
    (tree / "broken.json").write_text("{", encoding="utf-8")
    (tree / "other.txt").write_text("text", encoding="utf-8")
    manifest = copy.deepcopy(read_manifest(file_of(TINY, "wfp8_afp8", "large")))
    (tree / "lone.json").write_text(dumps(manifest), encoding="utf-8")
    git("init")
    git("add", "other.txt")
    git("commit", "-m", "first")
    status, out, err = run(*words)
    assert (status, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("error: ")
    assert message in line


def test_comparing_needs_no_torch(tree: Path) -> None:
    script = (
        "import sys; from auto_quantize_model.cli import main; main(['compare', 'models', 'models']); "
        "sys.exit(bool({'torch', 'transformers', 'pytest'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tree, capture_output=True, check=False)  # noqa: S603
    assert (done.returncode, done.stderr) == (0, b"")
