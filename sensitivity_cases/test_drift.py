"""What is committed under `models/` is whole and belongs together. No engine, no torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from syrupy.extensions.amber import AmberSnapshotExtension

from auto_quantize_model import load_suite
from auto_quantize_model.baselines import checks
from auto_quantize_model.plugin.failing import fail_on

if TYPE_CHECKING:
    import pytest
    from syrupy.assertion import SnapshotAssertion

    from auto_quantize_model import Suite
    from auto_quantize_model.baselines.store import Baselines
    from auto_quantize_model.plugin.baseline_check import BaselineCheck


def models_of(suite: Suite) -> Path:
    return suite.cases[0].models_root


def test_manifest(sensitivity_baseline: BaselineCheck, snapshot: SnapshotAssertion) -> None:
    """It keeps the JSON Schema, and has the structure that was last agreed on."""
    sensitivity_baseline.check_schema(snapshot)


def test_numbers(sensitivity_baseline: BaselineCheck) -> None:
    """What a manifest states more than once, it states alike."""
    sensitivity_baseline.check_numbers()


def test_reports(sensitivity_baseline: BaselineCheck) -> None:
    """Each is byte for byte what its manifest gives."""
    sensitivity_baseline.check_reports()


def test_every_case_has_a_baseline(sensitivity_suite: Suite) -> None:
    """Of the models that are here: others cannot be run to make one."""
    fail_on(checks.missing_baselines(sensitivity_suite))


def test_every_baseline_has_a_case(sensitivity_suite: Suite) -> None:
    fail_on(checks.stray_baselines(sensitivity_suite, models_of(sensitivity_suite)))


def test_every_recipe_is_one_of_the_suite(sensitivity_suite: Suite) -> None:
    fail_on(checks.stray_recipes(sensitivity_suite, models_of(sensitivity_suite)))


def test_every_index_is_up_to_date(sensitivity_suite: Suite, sensitivity_baselines: Baselines) -> None:
    models = [model.name for model in sensitivity_suite.models]
    published = [name for name in models if (models_of(sensitivity_suite) / name / "layer-analysis").is_dir()]
    fail_on(
        problem for name in published for problem in checks.stale_index(sensitivity_suite, name, sensitivity_baselines)
    )


def test_every_file_has_its_place(sensitivity_suite: Suite) -> None:
    fail_on(checks.unknown_files(models_of(sensitivity_suite)))


def test_nothing_names_a_place_on_a_machine(sensitivity_suite: Suite, sensitivity_baselines: Baselines) -> None:
    fail_on(checks.absolute_paths(checks.artifact_files(models_of(sensitivity_suite)), sensitivity_baselines))


def test_every_snapshot_has_a_case(sensitivity_suite: Suite, request: pytest.FixtureRequest) -> None:
    """Those of cases and pairs that are gone go with `--snapshot-update`; syrupy itself cannot tell them apart."""
    # As committed: an override that selects fewer cases makes no snapshot an orphan.
    suite = load_suite(sensitivity_suite.path, models_of(sensitivity_suite))
    known = {f"test_manifest[{case.id}]" for case in suite.cases}
    known |= {f"test_resolved_config[{pair.name}]" for pair in suite.pairs}
    fail_on(
        f"{file}: the snapshot {name} has no case or pair in {suite.path}; "
        'remove it: pytest -m "not gpu" sensitivity_cases --snapshot-update'
        for file in sorted(Path(__file__).parent.glob("__snapshots__/test_*drift.ambr"))
        for name in orphans(file, known, remove=request.config.getoption("update_snapshots"))
    )


def orphans(file: Path, known: set[str], *, remove: bool) -> list[str]:
    """The snapshots of cases and pairs in a file that nothing known has and that stay there."""
    amber = AmberSnapshotExtension()
    names = {each.name for each in amber.read_snapshot_collection(str(file))}
    found = {name for name in names - known if name.startswith(("test_manifest[", "test_resolved_config["))}
    if found and remove:
        amber.delete_snapshots(str(file), found)
        return []
    return sorted(found)
