from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from tests.opened_files import opened_files
from tests.places import TINY

from auto_quantize_model import InputError
from auto_quantize_model.artifacts import STAGING
from auto_quantize_model.baselines.publish import publish_case, publish_reports
from auto_quantize_model.baselines.store import (
    Baselines,
    ForeignBaselineError,
    baseline_folder,
    baseline_manifest,
    baseline_probe_sums,
    has_baseline,
    probe_sums_problems,
    read_baseline,
)
from auto_quantize_model.manifest.document import UnknownVersionError, parse_manifest, read_manifest

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


@pytest.fixture
def parked(case: Case, manifest: dict[str, Any]) -> Path:
    publish_case(case, manifest, None)
    return park(case)


def park(case: Case) -> Path:
    """Leave a baseline out of its place, as a killed publish does."""
    folder = baseline_folder(case)
    place = folder.parents[1] / STAGING / "tmpx" / "old" / folder.parent.name / folder.name
    place.parent.mkdir(parents=True)
    folder.rename(place)
    folder.parent.rmdir()
    return place


def test_a_baseline_that_a_killed_publish_had_parked_is_read_where_it_is(
    case: Case, manifest: dict[str, Any], parked: Path
) -> None:
    assert has_baseline(case)
    assert read_baseline(case) == manifest
    assert parked.is_dir()
    assert not baseline_folder(case).exists()
    (parked / baseline_manifest(case).name).write_text("{")
    with pytest.raises(InputError, match=f"{parked}/.*: not valid JSON"):
        read_baseline(case)


@pytest.mark.parametrize("way", ["case", "reports"])
def test_publishing_puts_a_parked_baseline_back(case: Case, manifest: dict[str, Any], parked: Path, way: str) -> None:
    publication = publish_case(case, manifest, None) if way == "case" else publish_reports(case)
    assert publication.action == "unchanged"
    assert read_baseline(case) == manifest
    assert baseline_folder(case).is_dir()
    assert not parked.exists()


def test_a_manifest_is_opened_and_validated_once_until_it_changes(
    case: Case, manifest: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_case(case, manifest, None)
    validated: list[str] = []

    def spied(content: bytes, path: str) -> dict[str, Any]:
        validated.append(path)
        return parse_manifest(content, path)

    monkeypatch.setattr("auto_quantize_model.baselines.store.parse_manifest", spied)
    baselines, file = Baselines(), baseline_manifest(case)
    with opened_files() as opened:
        assert baselines.manifest(case) is baselines.manifest(case)
        assert baselines.content(file) == file.read_bytes()
    assert validated == [str(file)]
    assert opened.count(str(file)) == 2, "once by the baselines, once by this test"
    publish_case(case, {**manifest, "predicted_kl": None}, None)
    assert baselines.manifest(case) == read_baseline(case) != manifest


def test_a_broken_manifest_is_validated_once_too(case: Case) -> None:
    baseline_manifest(case).parent.mkdir(parents=True)
    baseline_manifest(case).write_text("{")
    baselines = Baselines()
    messages = []
    for _ in range(2):
        with pytest.raises(InputError) as caught:
            baselines.manifest(case)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_what_is_in_a_baselines_place_and_no_folder_is_one_line(case: Case) -> None:
    baseline_folder(case).parent.mkdir(parents=True)
    baseline_folder(case).write_text("a file")
    with pytest.raises(InputError, match="cannot be read: Not a directory; check what it is") as caught:
        read_baseline(case)
    assert str(caught.value).startswith(str(baseline_folder(case)))
    assert "\n" not in str(caught.value)


def test_what_the_system_names_is_named(case: Case) -> None:
    baseline_manifest(case).mkdir(parents=True)
    with pytest.raises(InputError, match="Is a directory") as caught:
        read_baseline(case)
    assert str(caught.value).startswith(str(baseline_manifest(case)))


@pytest.fixture
def committed(case: Case, models: Path) -> dict[str, Any]:
    """The manifest of the case that the repository has, with its probe sums."""
    shutil.copytree(TINY.parent / case.run_folder, models / case.run_folder)
    return read_manifest(baseline_manifest(case))


def problems(case: Case, manifest: dict[str, Any]) -> list[str]:
    return list(probe_sums_problems(case, manifest, Baselines()))


def test_probe_sums_that_are_the_manifests_own_are_no_problem(case: Case, committed: dict[str, Any]) -> None:
    assert problems(case, committed) == []


def test_probe_sums_that_a_killed_publish_had_parked_are_read_where_they_are(
    case: Case, committed: dict[str, Any]
) -> None:
    place = park(case)
    assert problems(case, committed) == []
    (place / baseline_probe_sums(case).name).unlink()
    assert problems(case, committed) == [f"{place / baseline_probe_sums(case).name}: missing"]


def test_probe_sums_of_another_manifest_missing_damaged_or_not_to_be_read_are_one_line(
    case: Case, tiny_suite: Suite, committed: dict[str, Any]
) -> None:
    file = baseline_probe_sums(case)
    whole = file.read_bytes()
    (other,) = tiny_suite.select("wint8_afp16 and small")
    (theirs,) = (TINY.parent / other.run_folder).glob("*_probe_sums.safetensors")
    said = []
    for content in (theirs.read_bytes(), whole[:-8], b""):
        file.write_bytes(content)
        said += problems(case, committed)
    file.unlink()
    said += problems(case, committed)
    file.mkdir()
    said += problems(case, committed)
    assert len(said) == 5
    assert all(each.startswith(f"{file}: ") and "\n" not in each for each in said)
    assert [said[3].removeprefix(f"{file}: "), said[4].removeprefix(f"{file}: ")] == [
        "missing",
        "cannot be read: Is a directory",
    ]


@pytest.mark.parametrize(
    "change",
    [{"schema_version": 2}, {"predicted_kl": None}, "older"],
)
def test_a_manifest_that_has_no_probe_sums_needs_none(case: Case, committed: dict[str, Any], change: Any) -> None:
    baseline_probe_sums(case).unlink()
    if change == "older":
        del committed["schema_version"]
    else:
        committed |= change
    assert problems(case, committed) == []
