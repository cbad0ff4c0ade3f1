from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from auto_quantize_model.captions.reading import read_captions
from auto_quantize_model.cli import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def coco_file(tmp_path: Path) -> Path:
    path = tmp_path / "captions_train2017.json"
    found = [{"id": number, "image_id": number, "caption": f"caption {number}"} for number in range(520)]
    path.write_text(json.dumps({"images": [], "annotations": found}), encoding="utf-8")
    return path


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository's folder of captions, with its root as the working directory."""
    folder = tmp_path / "sensitivity_cases" / "data"
    folder.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return folder


def coco(*words: str | Path) -> int:
    return main(["captions", "coco", *map(str, words)])


def test_coco(coco_file: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert coco(coco_file) == 0
    *written, last = capsys.readouterr().out.splitlines()
    assert [line.rpartition("_")[2] for line in written] == ["small.txt", "medium.txt", "large.txt"]
    assert last == "next: python -m auto_quantize_model run --override suite.dataset=vlm_coco2017_captions"
    assert len(read_captions(data / "coco2017_captions_large.txt")) == 512


def test_coco_with_another_seed(coco_file: Path, data: Path) -> None:
    coco(coco_file)
    first = read_captions(data / "coco2017_captions_small.txt")
    coco(coco_file, "--seed", "5")
    assert read_captions(data / "coco2017_captions_small.txt") != first


def test_coco_elsewhere_says_how_to_use_it(coco_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert coco(coco_file, "--output", tmp_path, "--stem", "mine") == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert f"dataset.root={tmp_path}" in last
    assert "'dataset.captions_path=mine_{size}.txt'" in last


def test_coco_with_too_few_captions_writes_nothing(
    coco_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = json.loads(coco_file.read_text(encoding="utf-8"))["annotations"][:511]
    coco_file.write_text(json.dumps({"annotations": found}), encoding="utf-8")
    assert coco(coco_file, "--output", tmp_path / "out") == 2
    assert "511 usable captions" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_default_folder_must_be_there(
    coco_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert coco(coco_file) == 2
    wanted = "no such folder here; run from the repository's root or give --output DIR"
    assert wanted in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [coco_file]


def test_stem_with_a_folder(coco_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert coco(coco_file, "--output", tmp_path, "--stem", "a/b") == 2
    assert "--stem 'a/b': give a name without folders" in capsys.readouterr().err
