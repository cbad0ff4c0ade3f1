"""The repository's own suite, copied and broken on purpose: the right test fails, and says what and where."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.places import ROOT, TINY

from auto_quantize_model import load_suite
from auto_quantize_model.baselines.index import write_index

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RUN = "weight-fp8-act-fp16/qwen3_vl_tiny_autoquant_wfp8_afp16_lm_small"
CASE = "qwen3_vl_tiny-wfp8_afp16-small"
DRIFT = ("-m", "not gpu", "sensitivity_cases", "-k", "not config")


PAIRS = ("wfp8_afp16", "wfp4_afp16", "wint8_afp16", "wmxfp4_afp16")
SIZES = ("small", "medium")
"""A part of the matrix: the checks are the same for each of its cases."""


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the suite consists of, for a part of the embedded model's matrix, with the model's weights linked."""
    root = tmp_path_factory.mktemp("repository")
    for name in ("pyproject.toml", "conftest.py"):
        shutil.copy(ROOT / name, root)
    cases = root / "sensitivity_cases"
    shutil.copytree(ROOT / "sensitivity_cases", cases, ignore=shutil.ignore_patterns("__pycache__"))
    settings = {"models": ["qwen3_vl_tiny"], "pairs": list(PAIRS), "sizes": list(SIZES)}
    file = cases / "suite.yaml"
    file.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    folder = root / "models" / "qwen3_vl_tiny"
    folder.mkdir(parents=True)
    shutil.copy(TINY / "model.yaml", folder)
    (folder / "checkpoint").symlink_to(TINY / "checkpoint")
    suite = load_suite(file)
    for case in suite.cases:
        shutil.copytree(ROOT / "models" / case.run_folder, root / "models" / case.run_folder)
    write_index(suite, "qwen3_vl_tiny")
    kept = {*(case.id for case in suite.cases), *PAIRS}
    for snapshots in (cases / "__snapshots__").iterdir():
        snapshots.write_text(without_snapshots_of_others(snapshots.read_text(encoding="utf-8"), kept), encoding="utf-8")
    return root


def without_snapshots_of_others(text: str, kept: set[str]) -> str:
    head, *blocks = re.split(r"(?m)^(?=# name: )", text)
    named = {block: re.match(r"# name: [^\[\n]*(?:\[(.*)\])?", block) for block in blocks}
    return head + "".join(block for block, name in named.items() if name is None or name[1] in (None, *kept))


class Copy:
    """A copy of the template, to break."""

    def __init__(self, pytester: pytest.Pytester, template: Path) -> None:
        self.pytester = pytester
        self.root = pytester.path
        shutil.copytree(template, self.root, symlinks=True, dirs_exist_ok=True)

    @property
    def cases(self) -> Path:
        return self.root / "sensitivity_cases"

    @property
    def tiny(self) -> Path:
        return self.root / "models" / "qwen3_vl_tiny"

    @property
    def run_folder(self) -> Path:
        return self.tiny / "layer-analysis" / RUN

    @property
    def manifest(self) -> Path:
        return self.run_folder / "wfp8_afp16_autoquant_lm_quant_manifest.json"

    def edit(self, file: Path, change: Callable[[str], str]) -> None:
        old = file.read_text(encoding="utf-8")
        new = change(old)
        assert new != old
        file.write_text(new, encoding="utf-8")

    def drift(self, *arguments: str) -> pytest.RunResult:
        return self.pytester.runpytest_subprocess(*DRIFT, *arguments)

    def snapshots(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (self.cases / "__snapshots__").iterdir()}

    def keep_only(self, pair: str, size: str) -> None:
        """Shrink the suite to one case of the embedded model."""
        text = f"models: [qwen3_vl_tiny]\npairs: [{pair}]\nsizes: [{size}]\n"
        (self.cases / "suite.yaml").write_text(text, encoding="utf-8")


@pytest.fixture
def copy(pytester: pytest.Pytester, as_at_home: None, warm_python: None, template: Path) -> Copy:
    return Copy(pytester, template)


def failures(result: pytest.RunResult) -> set[str]:
    return set(re.findall(r"^FAILED \S+?::(\S+)", result.stdout.str(), flags=re.MULTILINE))


def test_drift_checks_pass_without_torch(copy: Copy, fresh_python: str) -> None:
    script = (
        "import sys, pytest\n"
        f"status = pytest.main({list(DRIFT)!r})\n"
        "heavy = {'torch', 'transformers', 'modelopt'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else status)"
    )
    done = subprocess.run([fresh_python, "-c", script], cwd=copy.root, capture_output=True, text=True)  # noqa: S603, PLW1510
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_renamed_key_of_a_manifest_is_named(copy: Copy) -> None:
    copy.edit(copy.manifest, lambda text: text.replace('"loss_tokens"', '"lost_tokens"'))
    result = copy.drift()
    assert {f"test_manifest[{CASE}]", f"test_numbers[{CASE}]", f"test_reports[{CASE}]"} <= failures(result)
    assert copy.manifest.name in result.stdout.str()
    assert "lost_tokens" in result.stdout.str()
    assert "Traceback" not in result.stdout.str()


def test_an_edited_score_of_a_report_is_named(copy: Copy) -> None:
    report = copy.run_folder / "per-layer-sensitivity.json"
    copy.edit(report, lambda text: re.sub(r'("sensitivity": )(\d)', r"\g<1>9\g<2>", text, count=1))
    result = copy.drift()
    assert failures(result) == {f"test_reports[{CASE}]"}
    assert f"{RUN}/per-layer-sensitivity.json: line " in result.stdout.str()


@pytest.mark.parametrize(
    "name",
    [
        "per-layer-sensitivity.json",
        "per-layer-sensitivity.md",
        "per-layer-sensitivity.svg",
        "wfp8_afp16_autoquant_lm_quant_manifest.json",
    ],
)
def test_a_missing_artifact_is_named(copy: Copy, name: str) -> None:
    (copy.run_folder / name).unlink()
    result = copy.drift()
    assert f"test_reports[{CASE}]" in failures(result)
    assert f"{RUN}/{name}: missing" in result.stdout.str()


def times(value: Any, factor: float) -> Any:
    return [each * factor for each in value] if isinstance(value, list) else value * factor


@pytest.mark.parametrize("key", ["importance", "scores"])
def test_a_scaled_score_of_a_baseline_is_named_by_both_checks(copy: Copy, key: str) -> None:
    def scale(text: str) -> str:
        manifest = json.loads(text)
        entry = list(manifest["layer_sensitivity"].values())[3]
        entry[key] = times(entry[key], 1.05)
        return json.dumps(manifest, indent=2) + "\n"

    group = list(json.loads(copy.manifest.read_text(encoding="utf-8"))["layer_sensitivity"])[3]
    copy.edit(copy.manifest, scale)
    found = failures(copy.drift())
    assert f"test_numbers[{CASE}]" in found
    assert found <= {f"test_numbers[{CASE}]", f"test_reports[{CASE}]"}
    result = copy.pytester.runpytest_subprocess(
        "-m", "gpu", "sensitivity_cases", "-k", f"{CASE} or tiny-wfp8_afp16-medium"
    )
    assert failures(result) == {f"test_sensitivity[{CASE}]"}
    assert f"{RUN}/{copy.manifest.name}" in result.stdout.str()
    assert group.removesuffix(".quant_recipe") in result.stdout.str()
    assert "case_run.py" not in result.stdout.str()


def test_a_pair_with_the_config_of_another_is_named(copy: Copy) -> None:
    pairs = copy.cases / "conf" / "quant_pair"
    text = (pairs / "wfp4_afp8.yaml").read_text(encoding="utf-8")
    copy.edit(pairs / "wfp4_afp16.yaml", lambda _: text.replace("activation: fp8", "activation: fp16"))
    result = copy.pytester.runpytest_subprocess("-m", "not gpu", "sensitivity_cases", "-k", "config")
    assert failures(result) == {"test_resolved_config[wfp4_afp16]"}
    assert "the pair wfp4_afp16 no longer means what it meant" in result.stdout.str()
    result = copy.pytester.runpytest_subprocess("-m", "gpu", "sensitivity_cases", "-k", "tiny-wfp4_afp16-small")
    assert failures(result) == {"test_sensitivity[qwen3_vl_tiny-wfp4_afp16-small]"}
    assert "incomparable" in result.stdout.str()
    assert "quantization.config" in result.stdout.str()


def test_the_reference_engine_agrees_with_the_baselines(copy: Copy) -> None:
    case = ("sensitivity_cases", "-m", "gpu", "-k", "tiny-wint8_afp16-small")
    result = copy.pytester.runpytest_subprocess(*case, "--sensitivity-engine", "modelopt")
    assert result.ret == 0
    assert "within_noise" in result.stdout.str()


def test_an_override_that_selects_makes_no_snapshot_an_orphan(copy: Copy) -> None:
    before = copy.snapshots()
    copy.drift("--sensitivity-override", "suite.pairs=[wfp8_afp16]", "--snapshot-update")
    assert copy.snapshots() == before


def test_files_that_do_not_belong_are_named(copy: Copy) -> None:
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@b.c")
    subprocess.run([*git, "init", "-q"], cwd=copy.root, check=True)  # noqa: S603
    (copy.root / ".gitignore").write_text("*.pt\nmodels/*/checkpoint\n", encoding="utf-8")
    (copy.tiny / "weights.pt").write_bytes(b"")
    (copy.tiny / "layer-analysis" / "notes.txt").write_text("", encoding="utf-8")
    assert "weights.pt" not in copy.drift().stdout.str()
    subprocess.run([*git, "add", "-f", "models/qwen3_vl_tiny/weights.pt"], cwd=copy.root, check=True)  # noqa: S603
    result = copy.drift()
    assert failures(result) == {"test_every_file_has_its_place"}
    assert "qwen3_vl_tiny/weights.pt: " in result.stdout.str()
    assert "layer-analysis/notes.txt: " in result.stdout.str()


def test_a_path_of_a_machine_is_named(copy: Copy) -> None:
    index = copy.tiny / "layer-analysis" / "README.md"
    copy.edit(index, lambda text: text + "see /home/me/models/x.json\n")
    result = copy.drift()
    assert failures(result) == {"test_every_index_is_up_to_date", "test_nothing_names_a_place_on_a_machine"}
    assert "/home/me/models/x.json" in result.stdout.str()


def test_a_case_without_a_baseline_is_named(copy: Copy) -> None:
    shutil.rmtree(copy.run_folder)
    result = copy.drift()
    assert failures(result) == {"test_every_case_has_a_baseline", "test_every_index_is_up_to_date"}
    assert f"-k {CASE} --publish" in result.stdout.str()


def test_what_has_no_case_any_more_is_named_and_goes_with_an_update(copy: Copy) -> None:
    copy.edit(copy.cases / "suite.yaml", lambda text: text.replace("- wmxfp4_afp16\n", ""))
    result = copy.drift()
    assert failures(result) == {
        "test_every_baseline_has_a_case",
        "test_every_index_is_up_to_date",
        "test_every_snapshot_has_a_case",
    }
    assert "weight-mxfp4-act-fp16" in result.stdout.str()
    assert "test_manifest[qwen3_vl_tiny-wmxfp4_afp16-small]" in result.stdout.str()
    copy.drift("--snapshot-update")
    assert "wmxfp4_afp16" not in b"".join(copy.snapshots().values()).decode()
    assert "test_every_snapshot_has_a_case" not in failures(copy.drift())


@pytest.mark.parametrize(
    "arguments",
    [
        ("--collect-only", "--snapshot-update"),
        ("-x", "--snapshot-update"),
        ("-k", "wfp8", "--snapshot-update"),
        ("--lf", "--snapshot-update"),
        ("-n", "2", "--snapshot-update"),
    ],
    ids=lambda arguments: " ".join(arguments[:-1]),
)
def test_an_update_that_runs_a_part_deletes_nothing(copy: Copy, arguments: tuple[str, ...]) -> None:
    before = copy.snapshots()
    if "-x" in arguments:
        copy.edit(copy.manifest, lambda text: text.replace('"loss_tokens"', '"lost_tokens"'))
    copy.pytester.runpytest_subprocess("-m", "not gpu", "sensitivity_cases/test_drift.py", *arguments)
    assert copy.snapshots() == before


def test_after_a_schema_change_two_commands_make_all_green(copy: Copy) -> None:
    """The committed state is made older: without a key that manifests have now, in manifest and snapshot."""
    copy.keep_only("wfp8_afp16", "small")
    for folder in (copy.tiny / "layer-analysis").glob("weight-*/*"):
        if folder != copy.run_folder:
            shutil.rmtree(folder)

    def without_key(text: str) -> str:
        manifest: dict[str, Any] = json.loads(text)
        del manifest["calibration"]["loss_tokens"]
        return json.dumps(manifest, indent=2) + "\n"

    copy.edit(copy.manifest, without_key)
    snapshot = copy.cases / "__snapshots__" / "test_drift.ambr"
    copy.edit(snapshot, lambda text: re.sub(r"\n +'loss_tokens': 'integer',", "", text))
    assert copy.drift().ret == pytest.ExitCode.TESTS_FAILED

    assert copy.pytester.runpytest_subprocess("-m", "gpu", "sensitivity_cases", "--publish").ret == 0
    copy.pytester.runpytest_subprocess("-m", "not gpu", "sensitivity_cases", "--snapshot-update")

    result = copy.pytester.runpytest_subprocess("sensitivity_cases")
    assert result.ret == 0, result.stdout.str()


WATCH = """

opened, validated = [], []


def watch(event, arguments):
    if event == "open" and str(arguments[0]).endswith("_quant_manifest.json"):
        opened.append(str(arguments[0]))


def pytest_configure(config):
    import sys
    from auto_quantize_model.baselines import store

    def parse(content, path, parse=store.parse_manifest):
        validated.append(path)
        return parse(content, path)

    store.parse_manifest = parse
    sys.addaudithook(watch)


def pytest_terminal_summary(terminalreporter):
    for word, paths in (("opened", opened), ("validated", validated)):
        terminalreporter.write_line(f"{word}: {len(paths)} times, {len(set(paths))} files")
"""


def test_the_drift_checks_open_and_validate_each_manifest_once(copy: Copy) -> None:
    copy.edit(copy.root / "conftest.py", lambda text: text + WATCH)
    result = copy.drift()
    cases = len(PAIRS) * len(SIZES)
    result.assert_outcomes(passed=3 * cases + 7, skipped=1, deselected=cases + len(PAIRS) + 2)
    result.stdout.fnmatch_lines([f"opened: {cases} times, {cases} files", f"validated: {cases} times, {cases} files"])


def test_the_drift_checks_write_nothing_and_name_what_an_interrupted_publish_has_left(copy: Copy) -> None:
    parked = copy.tiny / "layer-analysis" / ".publishing" / "tmpx" / "old" / RUN
    parked.parent.mkdir(parents=True)
    copy.run_folder.rename(parked)
    half = copy.tiny / "layer-analysis" / ".publishing" / "tmpy" / "new"
    half.mkdir(parents=True)
    (half / "per-layer-sensitivity.md").write_text("half", encoding="utf-8")
    before = state_of(copy.root / "models")

    result = copy.drift()
    assert failures(result) == {"test_every_case_has_a_baseline"}
    assert state_of(copy.root / "models") == before
    (line,) = [line for line in result.outlines if "an interrupted publish left it in " in line]

    command = shlex.split(line.partition("put it back: ")[2])
    assert command[0] == "pytest"
    result = copy.pytester.runpytest_subprocess(*command[1:])
    assert result.parseoutcomes()["passed"] == 1
    assert result.ret == 0
    assert copy.run_folder.is_dir()
    assert not failures(copy.drift())


def state_of(root: Path) -> dict[str, tuple[int, int]]:
    """Every file and folder, and when it was changed."""
    status = {path.relative_to(root).as_posix(): path.lstat() for path in sorted(root.rglob("*"))}
    return {name: (each.st_ino, each.st_mtime_ns) for name, each in status.items()}
