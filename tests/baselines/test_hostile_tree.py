"""A models tree from a stranger: nothing that lies outside it may be read through a link, written or removed."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from auto_quantize_model import InputError
from auto_quantize_model.artifacts import STAGING, write_case
from auto_quantize_model.baselines.index import index_file, write_index
from auto_quantize_model.baselines.publish import publish_case
from auto_quantize_model.baselines.store import baseline_folder, baseline_manifest, read_baseline
from auto_quantize_model.manifest.document import dumps, read_manifest
from auto_quantize_model.manifest.schema import InvalidManifestError

if TYPE_CHECKING:
    from pathlib import Path

    from auto_quantize_model import Case, Suite


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Somebody's files, older than an hour."""
    folder = tmp_path / "outside"
    for name in ("photos", "letters"):
        (folder / name).mkdir(parents=True)
        (folder / name / "only copy").write_text(name)
        os.utime(folder / name, (0, 0))
    return folder


class TestLinks:
    @pytest.mark.parametrize("depth", ["staging", "kind", "analysis", "model", "run"])
    def test_publishing_through_one_is_refused_by_name(
        self, case: Case, manifest: dict[str, Any], outside: Path, depth: str
    ) -> None:
        run = baseline_folder(case)
        analysis = run.parents[1]
        link = {
            "staging": analysis / STAGING,
            "kind": run.parent,
            "analysis": analysis,
            "model": analysis.parent,
            "run": run,
        }[depth]
        if link.exists():
            shutil.rmtree(link)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(outside, target_is_directory=True)
        before = snapshot(outside)
        with pytest.raises(InputError, match="is a link, and none is followed below") as caught:
            publish_case(case, manifest, None)
        assert str(link) in str(caught.value)
        assert "\n" not in str(caught.value)
        assert snapshot(outside) == before
        assert link.is_symlink()

    def test_a_manifest_that_is_one_is_not_read(self, case: Case, manifest: dict[str, Any], tmp_path: Path) -> None:
        publish_case(case, manifest, None)
        file = baseline_manifest(case)
        file.rename(tmp_path / "elsewhere.json")
        file.symlink_to(tmp_path / "elsewhere.json")
        with pytest.raises(InputError, match="is a link, and none is followed below"):
            read_baseline(case)

    def test_an_index_that_is_one_is_not_written_through(
        self, case: Case, manifest: dict[str, Any], tiny_suite: Suite, outside: Path
    ) -> None:
        publish_case(case, manifest, None)
        index = index_file(tiny_suite, case.model.name)
        index.symlink_to(outside / "photos" / "only copy")
        with pytest.raises(InputError, match=r"README\.md: is a link"):
            write_index(tiny_suite, case.model.name)
        assert (outside / "photos" / "only copy").read_text() == "photos"


def test_old_files_of_somebody_else_in_the_staging_folder_stay(case: Case, manifest: dict[str, Any]) -> None:
    notes = baseline_folder(case).parents[1] / STAGING / "notes"
    (notes / "old").mkdir(parents=True)
    (notes / "old" / "mine.txt").write_text("mine")
    os.utime(notes, (0, 0))
    publish_case(case, manifest, None)
    assert snapshot(notes) == {"old/mine.txt": b"mine"}


class TestNames:
    @pytest.mark.parametrize(
        "name", ["../../../escaped", "/escaped", "a/b", "a\\b", "..", "", "a\n", "a\nb", "\x1b[31m"]
    )
    def test_a_scheme_that_is_no_file_name_is_refused_where_it_enters(
        self, case: Case, manifest: dict[str, Any], tmp_path: Path, name: str
    ) -> None:
        manifest["scheme"]["name"] = name
        file = tmp_path / "hostile.json"
        file.write_text(dumps(manifest), encoding="utf-8")
        with pytest.raises(InputError, match=r"hostile\.json: not (a manifest|valid JSON): .*name\b") as caught:
            read_manifest(file)
        assert "\n" not in str(caught.value)
        with pytest.raises(InvalidManifestError, match=r"scheme\.name"):
            write_case(case, manifest, tmp_path / "output")
        assert not (tmp_path / "output").exists()
        del manifest["schema_version"]
        file.write_text(dumps(manifest), encoding="utf-8")
        with pytest.raises(InputError, match=r"name\b"):
            read_manifest(file)
