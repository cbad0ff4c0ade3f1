from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from tests.manifests import SCORES, build, group_key, measured

from auto_quantize_model import CaseError, InputError
from auto_quantize_model.artifacts import render_reports
from auto_quantize_model.baselines.publish import Publication, publish_case, publish_reports
from auto_quantize_model.baselines.store import baseline_folder, baseline_manifest, baseline_probe_sums, read_baseline
from auto_quantize_model.cases.settings import Tolerances
from auto_quantize_model.comparison.compare import compare
from auto_quantize_model.manifest.document import dumps
from auto_quantize_model.manifest.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from auto_quantize_model import Case

MARKDOWN = "per-layer-sensitivity.md"
REPORTS = {MARKDOWN, "per-layer-sensitivity.json", "per-layer-sensitivity.svg"}


def publish(case: Case, manifest: dict[str, Any]) -> Publication:
    baseline = read_baseline(case)
    return publish_case(case, manifest, None if baseline is None else compare(baseline, manifest, Tolerances()))


def state(case: Case) -> dict[str, tuple[bytes, int, int]]:
    """Everything of the files that writing them would change."""
    folder = baseline_folder(case)
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.iterdir()}


def test_the_first_is_created_with_its_reports(case: Case, manifest: dict[str, Any]) -> None:
    publication = publish(case, manifest)
    assert (publication.case_id, publication.action) == (case.id, "created")
    assert publication.folder == baseline_folder(case)
    texts = {path.name: path.read_text(encoding="utf-8") for path in publication.folder.iterdir()}
    assert texts == {baseline_manifest(case).name: dumps(manifest), **render_reports(manifest)}
    assert set(texts) > REPORTS


def test_publishing_again_changes_no_byte_and_no_time(case: Case, manifest: dict[str, Any]) -> None:
    publish(case, manifest)
    before = state(case)
    for again in (manifest, build(case, [score * (1 + 1e-6) for score in SCORES])):
        assert publish(case, again).action == "unchanged"
        assert state(case) == before
    assert publish_case(case, manifest, None).action == "unchanged"
    assert publish_reports(case).action == "unchanged"
    assert state(case) == before


def test_another_version_alone_changes_nothing(case: Case, manifest: dict[str, Any]) -> None:
    publish(case, manifest)
    before = state(case)
    other = copy.deepcopy(manifest)
    other["environment"] = {**other["environment"], "torch": "2.14.0"}
    assert publish(case, other).action == "unchanged"
    assert state(case) == before


def test_a_fact_more_about_the_environment_changes_the_structure_and_is_written(
    case: Case, manifest: dict[str, Any]
) -> None:
    publish(case, manifest)
    other = copy.deepcopy(manifest)
    other["environment"] = {**other["environment"], "driver": "1"}
    assert publish(case, other).action == "updated"
    assert read_baseline(case) == other


def test_a_manifest_of_a_newer_version_is_never_written_over(case: Case, manifest: dict[str, Any]) -> None:
    publish(case, manifest)
    file = baseline_manifest(case)
    newer = file.read_text(encoding="utf-8").replace(f'"schema_version": {SCHEMA_VERSION}', '"schema_version": 99')
    file.write_text(newer, encoding="utf-8")
    with pytest.raises(InputError, match="schema_version is 99"):
        publish_case(case, manifest, None)
    assert file.read_text(encoding="utf-8") == newer


def test_drift_is_written_and_says_what_changed(case: Case, manifest: dict[str, Any]) -> None:
    publish(case, manifest)
    drifted = build(case, [SCORES[0] * 1.05, *SCORES[1:]])
    publication = publish(case, drifted)
    assert publication.action == "updated"
    assert group_key(0).removesuffix(".quant_recipe") in publication.reason
    assert "x1.050" in publication.reason
    assert read_baseline(case) == drifted
    assert set(render_reports(drifted).items()) <= {(name, each[0].decode()) for name, each in state(case).items()}


def test_a_changed_input_is_written(case: Case, manifest: dict[str, Any]) -> None:
    publish(case, manifest)
    other = {**manifest, "model": {**manifest["model"], "checkpoint_sha256": "e" * 64}}
    publication = publish(case, other)
    assert (publication.action, "model.checkpoint_sha256" in publication.reason) == ("updated", True)
    assert read_baseline(case) == other


def test_a_key_more_is_written_although_the_numbers_agree(
    case: Case, manifest: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(case, manifest)
    newer = build(case, [score * (1 + 1e-6) for score in SCORES])
    newer["layer_sensitivity"][group_key(1)]["median"] = 1.0
    monkeypatch.setattr("auto_quantize_model.baselines.publish.check_schema", lambda *_: None)
    publication = publish(case, newer)
    assert publication.action == "updated"
    assert publication.reason == "the structure of the manifest has changed"
    assert baseline_manifest(case).read_text(encoding="utf-8") == dumps(newer)


def test_other_statistics_of_the_same_scores_are_written(case: Case, manifest: dict[str, Any]) -> None:
    publish(case, manifest)
    other = copy.deepcopy(manifest)
    other["layer_sensitivity"][group_key(0)]["stderr"] *= 2
    assert publish(case, other).action == "updated"
    assert read_baseline(case) == other


@pytest.mark.parametrize("damage", ["edited", "missing", "line ends"])
def test_stale_reports_are_rendered_again_from_the_manifest_that_stands(
    case: Case, manifest: dict[str, Any], damage: str
) -> None:
    publish(case, manifest)
    whole = {name: each[0] for name, each in state(case).items()}
    # Bytes that `dumps` would not write: they must stand.
    baseline_manifest(case).write_bytes(b"\r\n" + whole[baseline_manifest(case).name])
    whole[baseline_manifest(case).name] = baseline_manifest(case).read_bytes()
    report = baseline_folder(case) / MARKDOWN
    noisy = build(case, [score * (1 + 1e-6) for score in SCORES])
    fixes: list[Callable[[], Publication]] = [lambda: publish(case, noisy), lambda: publish_reports(case)]
    for fix in fixes:
        if damage == "missing":
            report.unlink()
        elif damage == "edited":
            report.write_text("mine")
        else:
            report.write_bytes(report.read_bytes().replace(b"\n", b"\r\n"))
        publication = fix()
        assert publication.action == "re-rendered"
        assert publication.reason.endswith(f": {MARKDOWN}")
        assert {name: each[0] for name, each in state(case).items()} == whole


def test_a_baseline_whose_version_estimates_otherwise_gives_way_though_the_scores_stand(
    case: Case, manifest: dict[str, Any]
) -> None:
    publish(case, manifest)
    file = baseline_manifest(case)
    older = file.read_text(encoding="utf-8").replace(f'"schema_version": {SCHEMA_VERSION}', '"schema_version": 2')
    file.write_text(older, encoding="utf-8")
    noisy = build(case, [score * (1 + 1e-6) for score in SCORES])
    publication = publish(case, noisy)
    assert (publication.action, "version 2" in publication.reason) == ("updated", True)
    assert read_baseline(case) == noisy


def test_an_unreadable_baseline_is_replaced(case: Case, manifest: dict[str, Any]) -> None:
    publish(case, manifest)
    baseline_manifest(case).write_text("<<<<<<< HEAD\n")
    publication = publish_case(case, manifest, None)
    assert (publication.action, "unreadable" in publication.reason) == ("updated", True)
    assert read_baseline(case) == manifest


def test_a_baseline_that_was_not_compared_gives_way(case: Case, manifest: dict[str, Any]) -> None:
    publish(case, manifest)
    other = build(case, [score * (1 + 1e-6) for score in SCORES])
    assert publish_case(case, other, None).action == "updated"
    assert read_baseline(case) == other


def broken(manifest: dict[str, Any], *path: str, value: object) -> dict[str, Any]:
    result = copy.deepcopy(manifest)
    inner = result
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return result


def not_finite(manifest: dict[str, Any]) -> dict[str, Any]:
    nothing = {"status": "non_finite", "importance": None, "rank": None, "predicted_kl": None}
    entry = {**manifest["layer_sensitivity"][group_key(0)], **nothing}
    return broken(manifest, "layer_sensitivity", group_key(0), value=entry)


def not_measured(manifest: dict[str, Any]) -> dict[str, Any]:
    """With a status of the search that says otherwise."""
    nothing = {"status": "not_exercised", "importance": None, "rank": None, "predicted_kl": None}
    entries = {key: {**entry, **nothing} for key, entry in manifest["layer_sensitivity"].items()}
    return {**manifest, "layer_sensitivity": entries, "sensitivity_ranking": []}


def test_what_is_not_finite_incomplete_or_anothers_writes_nothing(case: Case, manifest: dict[str, Any]) -> None:
    refused = {
        f"{group_key(0)} is not finite": not_finite(manifest),
        "scores that are not finite": broken(manifest, "autoquant_state", "status", value="not_finite"),
        "the search found no selection": broken(manifest, "autoquant_state", "status", value="infeasible"),
        "no group was measured": not_measured(manifest),
        "a number that is not finite": broken(manifest, "autoquant_state", "score", value=float("nan")),
        'incomplete: the whole: "engine" is a required': {k: v for k, v in manifest.items() if k != "engine"},
        "of case 'other'": broken(manifest, "case", "id", value="other"),
    }
    for reason, each in refused.items():
        with pytest.raises(CaseError, match=reason) as caught:
            publish_case(case, each, None)
        assert "\n" not in str(caught.value)
        assert not baseline_folder(case).exists()


def test_a_users_file_stops_an_update(case: Case, manifest: dict[str, Any]) -> None:
    publish(case, manifest)
    (baseline_folder(case) / "notes.txt").write_text("mine")
    before = state(case)
    with pytest.raises(InputError, match=r"notes\.txt"):
        publish(case, build(case, [1.0, 2.0, 3.0, 4.0]))
    assert state(case) == before


def test_reports_need_a_baseline_of_this_tool(case: Case, manifest: dict[str, Any]) -> None:
    with pytest.raises(CaseError, match="publish the case first"):
        publish_reports(case)
    assert manifest.pop("schema_version") == SCHEMA_VERSION
    del manifest["layer_sensitivity"]["lm_head.quant_recipe"]
    baseline_folder(case).mkdir(parents=True)
    baseline_manifest(case).write_text(dumps(manifest))
    with pytest.raises(CaseError, match="older tool"):
        publish_reports(case)
    assert [path.name for path in baseline_folder(case).iterdir()] == [baseline_manifest(case).name]


def test_what_was_measured_is_added_once_and_not_forgotten(case: Case, manifest: dict[str, Any]) -> None:
    publish(case, manifest)
    again = measured(build(case, [score * (1 + 1e-6) for score in SCORES]))
    added = publish(case, again)
    assert (added.action, added.reason) == ("updated", "it was not measured before")
    before = state(case)
    assert publish(case, manifest).action == "unchanged"
    assert publish(case, build(case)).action == "unchanged"
    assert state(case) == before


def test_what_is_measured_otherwise_is_written(case: Case, manifest: dict[str, Any]) -> None:
    publish(case, measured(copy.deepcopy(manifest)))
    publication = publish(case, measured(manifest, 0.011))
    assert publication.action == "updated"
    assert "the magnitude of 2 groups" in publication.reason


def test_probe_sums_go_with_their_manifest(case: Case, manifest: dict[str, Any]) -> None:
    file = baseline_probe_sums(case)
    publish_case(case, manifest, None, b"of this one")
    assert file.read_bytes() == b"of this one"
    publish_reports(case)
    assert file.read_bytes() == b"of this one"
    # A manifest without sums takes those of the one before it away.
    changed = {**manifest, "model": {**manifest["model"], "checkpoint_sha256": "e" * 64}}
    assert publish_case(case, changed, None).action == "updated"
    assert not file.exists()
