"""What the drift checks cost: CPU seconds of whole processes, for the matrix and for parts of it."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from auto_quantize_model import load_suite
from auto_quantize_model.baselines.index import write_index
from auto_quantize_model.baselines.store import has_baseline

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[1]
CASES = "sensitivity_cases"
SIZES = ("small", "medium", "large")
CHECKS = ("-m", "pytest", "-q", "-m", "not gpu", CASES, "--deselect", f"{CASES}/test_config_drift.py")


def cpu_seconds(folder: Path, *options: str) -> float:
    """The user and system time of one run of the drift checks, with the start of Python and of what it starts."""
    with subprocess.Popen([sys.executable, *CHECKS, *options], cwd=folder, stdout=subprocess.PIPE) as process:  # noqa: S603
        assert process.stdout is not None  # noqa: S101  for the type checker
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"the drift checks fail in {folder}:\n{printed.decode()}")
    return usage.ru_utime + usage.ru_stime


def copy_part(folder: Path, sizes: Sequence[str]) -> int:
    """Lay out a repository with the published cases of some sizes; returns how many these are."""
    for name in ("pyproject.toml", "conftest.py"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / CASES, folder / CASES, ignore=shutil.ignore_patterns("__pycache__"))
    file = folder / CASES / "suite.yaml"
    settings = yaml.safe_load(file.read_text(encoding="utf-8"))
    file.write_text(yaml.safe_dump({**settings, "sizes": list(sizes)}, sort_keys=False), encoding="utf-8")
    for model in settings["models"]:
        (folder / "models" / model).mkdir(parents=True)
        shutil.copy(ROOT / "models" / model / "model.yaml", folder / "models" / model)
    committed, suite = load_suite(ROOT / CASES / "suite.yaml"), load_suite(file)
    run_folders = {case.id: case.run_folder for case in committed.cases if has_baseline(case)}
    published = [run_folders[case.id] for case in suite.cases if case.id in run_folders]
    for run_folder in published:
        shutil.copytree(ROOT / "models" / run_folder, folder / "models" / run_folder)
    for recipe in suite.recipes:
        original = ROOT / "models" / recipe.folder.relative_to(recipe.models_root)
        if original.is_dir():
            shutil.copytree(original, recipe.folder)
    for model in {run_folder.parts[0] for run_folder in published}:
        write_index(suite, model)
    cpu_seconds(folder, "--snapshot-update")  # drops the snapshots of the cases that are left out
    return len(published)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=3, help="Runs of each part, of which the least counts (default: %(default)s)"
    )
    rounds = parser.parse_args().rounds
    costs: dict[int, float] = {}
    for number in range(1, len(SIZES) + 1):
        with tempfile.TemporaryDirectory() as place:
            cases = copy_part(Path(place), SIZES[:number])
            costs[cases] = min(cpu_seconds(Path(place)) for _ in range(rounds))
        sys.stdout.write(f"drift checks of {cases} cases: {costs[cases]:.2f} s of CPU\n")
    (fewest, least), (most, highest) = min(costs.items()), max(costs.items())
    sys.stdout.write(
        f"a further case: {(highest - least) / (most - fewest):.3f} s (aim: at most 0.03 s, and 3 s for 54 cases)\n"
    )


if __name__ == "__main__":
    main()
