"""A small repository to run the pages' commands in, and a stand-in for the engine: neither needs torch.

SmolLM2 is the embedded model under another name, with the embedded one's committed baselines; the 4B model is missing,
as it is for most readers. What the stand-in "computes" for a case is its baseline. The engine itself is what `.ci/run`
and the other tests run.
"""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
from types import ModuleType
from typing import TYPE_CHECKING, Any

import scipy.stats  # noqa: F401  a command imports it, and after `pytester` it cannot be imported once more
import yaml
from tests.places import ROOT, TINY

from auto_quantize_model import load_suite
from auto_quantize_model.baselines.index import write_index
from auto_quantize_model.baselines.publish import publish_case
from auto_quantize_model.baselines.store import baseline_manifest, baseline_probe_sums

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from auto_quantize_model import Case

HERE = ("qwen3_vl_tiny", "smollm2_135m")
MODELS = (*HERE, "qwen3_vl_4b_instruct")
PAIRS = ("wint8_aint8", "wfp8_afp8", "wfp4_afp16")
SIZES = ("small", "medium", "large")
COCO = "captions_train2017.json"
_SNAPSHOTS = "__snapshots__/test_drift.ambr"
_WITH_MODELOPT = "*_config_drift.*"
"""The drift check that asks ModelOpt, and its snapshots: CI runs it."""


def build(root: Path) -> None:
    """Write the repository, with a baseline for each case."""
    shutil.copy(ROOT / "pyproject.toml", root)
    cases = root / "sensitivity_cases"
    shutil.copytree(
        ROOT / "sensitivity_cases", cases, ignore=shutil.ignore_patterns("__pycache__", _WITH_MODELOPT, "README.md")
    )
    _write(cases / "suite.yaml", {"models": list(MODELS), "pairs": list(PAIRS)})
    for model in MODELS:
        (root / "models" / model).mkdir(parents=True)
        settings = {"family": "qwen3_vl", "path": str(TINY / "checkpoint") if model in HERE else "nowhere"}
        _write(root / "models" / model / "model.yaml", settings)
    annotations = [{"id": number, "image_id": number, "caption": f"caption {number}"} for number in range(600)]
    (root / COCO).write_text(json.dumps({"annotations": annotations}), encoding="utf-8")
    suite = load_suite(cases / "suite.yaml")
    committed = {case.id: case for case in load_suite(ROOT / "sensitivity_cases" / "suite.yaml").cases}
    for case in (case for case in suite.cases if case.model.name in HERE):
        theirs = committed[f"{TINY.name}-{case.pair.name}-{case.size}"]
        sums = baseline_probe_sums(theirs).read_bytes()
        publish_case(case, _renamed(_read(baseline_manifest(theirs)), case), None, sums)
    for model in HERE:
        write_index(suite, model)
    _write_snapshots(cases / _SNAPSHOTS)


def make_git_repository(root: Path) -> None:
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@b.c")
    for words in (("init", "-q"), ("add", "models"), ("commit", "-qm", "All")):
        subprocess.run([*git, *words], cwd=root, check=True)  # noqa: S603


def changes(root: Path) -> str:
    """What is not as it was built, in the models tree."""
    words = ["git", "status", "--porcelain", "models"]
    return subprocess.run(words, cwd=root, check=True, capture_output=True, text=True).stdout  # noqa: S603


def engine() -> Any:
    """A stand-in for the module `auto_quantize_model.run`: a case's result is its baseline."""
    module: Any = ModuleType("auto_quantize_model.run")
    module.CaseResult = _Result
    module.run_cases = _run_cases
    return module


class _Result:
    def __init__(self, case: Case) -> None:
        self.case = case
        self.skipped = case.model.name not in HERE
        self.manifest = None if self.skipped else _read(baseline_manifest(case))
        self.scores = None
        self.error = "no checkpoint" if self.skipped else None


def _run_cases(
    cases: Iterable[Case],
    *,
    engine: str = "replay",
    device: str | None = None,
    model_paths: Mapping[str, Path] | None = None,
    captures: Any = None,
    measure: str = "none",
    measure_on: Path | None = None,
    cluster: str | None = None,
    cluster_gpus: int = 1,
    progress: Any = None,
    notice: Any = None,
) -> Iterator[_Result]:
    del engine, device, model_paths, captures, measure, measure_on, cluster, cluster_gpus, progress, notice
    return map(_Result, cases)


def _renamed(manifest: dict[str, Any], case: Case) -> dict[str, Any]:
    """The same numbers as another model's."""
    renamed = copy.deepcopy(manifest)
    renamed["case"] |= {"id": case.id, "model": case.model.name}
    renamed["model"]["id"] = case.model.hub_id or case.model.name
    return renamed


def _write_snapshots(file: Path) -> None:
    """Those of the embedded model, for each of the models."""
    head, *entries = re.split(r"(?m)^(?=# name: )", file.read_text(encoding="utf-8"))
    wanted = re.compile(rf"# name: test_manifest\[{TINY.name}-({'|'.join(PAIRS)})-\w+\]\n")
    ours = [entry for entry in entries if wanted.match(entry)]
    text = head + "".join(entry.replace(f"[{TINY.name}-", f"[{model}-", 1) for model in HERE for entry in ours)
    file.write_text(text, encoding="utf-8")


def _read(file: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return manifest


def _write(file: Path, settings: Mapping[str, object]) -> None:
    file.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
