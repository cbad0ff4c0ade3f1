from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from auto_quantize_model import InputError
from auto_quantize_model.artifacts import STAGING
from auto_quantize_model.baselines.publish import publish_case
from auto_quantize_model.baselines.store import ForeignBaselineError, baseline_folder, baseline_manifest, read_baseline
from auto_quantize_model.manifest.document import UnknownVersionError

if TYPE_CHECKING:
    from pathlib import Path

    from auto_quantize_model import Case, Suite


def test_the_folder_is_the_cases_in_its_models_tree(case: Case, models: Path) -> None:
    assert baseline_folder(case) == models / case.run_folder


def test_the_file_has_the_name_of_the_scheme(tiny_suite: Suite) -> None:
    (legacy,) = tiny_suite.select("wint8_aint8 and large")
    assert baseline_manifest(legacy).name == "int8_autoquant_lm_default_quant_manifest.json"


def test_nothing_committed_is_none_and_touches_nothing(case: Case) -> None:
    assert read_baseline(case) is None
    assert not baseline_folder(case).parents[1].exists()


def test_what_was_published_is_read(case: Case, manifest: dict[str, Any]) -> None:
    publish_case(case, manifest, None)
    assert read_baseline(case) == manifest


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "missing"), ("{", "not valid JSON"), ("{}", "not a manifest")],
)
def test_a_broken_baseline_is_one_line_with_the_file_and_the_mend(case: Case, text: str | None, said: str) -> None:
    file = baseline_manifest(case)
    file.parent.mkdir(parents=True)
    if text is not None:
        file.write_text(text)
    with pytest.raises(InputError) as caught:
        read_baseline(case)
    message = str(caught.value)
    assert message.startswith(f"{file}: ")
    assert said in message
    assert message.endswith("publish the case again")
    assert "\n" not in message


def test_a_baseline_of_a_newer_version_is_told_apart_so_that_nothing_writes_over_it(case: Case) -> None:
    file = baseline_manifest(case)
    file.parent.mkdir(parents=True)
    file.write_text('{"schema_version": 99}')
    with pytest.raises(UnknownVersionError, match=r"schema_version is 99; .*; install the one that wrote it"):
        read_baseline(case)


def test_another_cases_baseline_is_refused(tiny_suite: Suite, case: Case, manifest: dict[str, Any]) -> None:
    (other,) = tiny_suite.select("wfp8_afp8 and large")
    publish_case(case, manifest, None)
    baseline_folder(case).rename(baseline_folder(other))
    with pytest.raises(ForeignBaselineError, match=f"is of case '{case.id}', not of '{other.id}'"):
        read_baseline(other)
    before = baseline_manifest(other).read_bytes()
    with pytest.raises(ForeignBaselineError):
        publish_case(other, {**manifest, "case": {**manifest["case"], "id": other.id}}, None)
    assert baseline_manifest(other).read_bytes() == before


def test_a_baseline_that_a_killed_run_had_parked_is_read(case: Case, manifest: dict[str, Any]) -> None:
    publish_case(case, manifest, None)
    folder = baseline_folder(case)
    parked = folder.parents[1] / STAGING / "tmpx" / "old" / folder.parent.name / folder.name
    parked.parent.mkdir(parents=True)
    folder.rename(parked)
    folder.parent.rmdir()
    assert read_baseline(case) == manifest
