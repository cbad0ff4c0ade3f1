from __future__ import annotations

import argparse
import json
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest

from auto_quantize_model.captions import command
from auto_quantize_model.captions.reading import read_captions
from auto_quantize_model.errors import InputError

REPOSITORY = Path(__file__).parents[2]


def run(*words: str | Path) -> list[str]:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers(required=True))
    arguments = parser.parse_args(["captions", *map(str, words)])
    output = StringIO()
    assert arguments.run(arguments, output) == 0
    return output.getvalue().splitlines()


@pytest.fixture
def coco_file(tmp_path: Path) -> Path:
    path = tmp_path / "captions_train2017.json"
    found = [{"id": number, "image_id": number, "caption": f"caption {number}"} for number in range(520)]
    path.write_text(json.dumps({"images": [], "annotations": found}), encoding="utf-8")
    return path


def test_generate_reproduces_the_committed_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sensitivity_cases" / "data").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    names = [f"sensitivity_cases/data/embedded_captions_{size}.txt" for size in ("small", "medium", "large")]
    assert run("generate") == [f"wrote {Path(name)}" for name in names]
    for name in names:
        assert (tmp_path / name).read_bytes() == (REPOSITORY / name).read_bytes()


def test_generate_with_another_seed_and_stem(tmp_path: Path) -> None:
    run("generate", "--output", tmp_path, "--stem", "mine", "--seed", "5")
    committed = REPOSITORY / "sensitivity_cases" / "data" / "embedded_captions_small.txt"
    assert read_captions(tmp_path / "mine_small.txt") != read_captions(committed)


def test_default_folder_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="no such folder here; run from the repository's root or give --output DIR"):
        run("generate")
    assert not list(tmp_path.iterdir())


def test_stem_with_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--stem 'a/b': give a name without folders"):
        run("generate", "--output", tmp_path, "--stem", "a/b")


def test_coco(coco_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "sensitivity_cases" / "data"
    folder.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    told = run("coco", coco_file)
    assert told[-1] == ("next: python -m auto_quantize_model run --override suite.dataset=vlm_coco2017_captions")
    assert len(read_captions(folder / "coco2017_captions_large.txt")) == 512


def test_coco_elsewhere_says_how_to_use_it(coco_file: Path, tmp_path: Path) -> None:
    told = run("coco", coco_file, "--output", tmp_path, "--stem", "mine")
    assert f"dataset.root={tmp_path}" in told[-1]
    assert "'dataset.captions_path=mine_{size}.txt'" in told[-1]


def test_coco_with_too_few_captions_writes_nothing(coco_file: Path, tmp_path: Path) -> None:
    found = json.loads(coco_file.read_text(encoding="utf-8"))["annotations"][:511]
    coco_file.write_text(json.dumps({"annotations": found}), encoding="utf-8")
    with pytest.raises(InputError, match="511 usable captions"):
        run("coco", coco_file, "--output", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_compare(tmp_path: Path) -> None:
    a, b = tmp_path / "a.txt", tmp_path / "b.txt"
    a.write_text("a dog on the grass\n", encoding="utf-8")
    b.write_text("a cat on the grass\n", encoding="utf-8")
    told = run("compare", a, b)
    assert told[0] == f"| | {a} | {b} |"
    assert told[-1] == "| share of the other's vocabulary covered | 80.0% | |"


def test_output_goes_to_stdout_by_default(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a dog\n", encoding="utf-8")
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["captions", "compare", str(path), str(path)])
    assert command.run(arguments) == 0
    assert capsys.readouterr().out.startswith("| |")


def test_importing_is_light() -> None:
    program = """
import sys
import auto_quantize_model.captions.command, auto_quantize_model.captions.grammar
print(sorted({"torch", "transformers", "pytest", "numpy", "modelopt"} & set(sys.modules)))
"""
    done = subprocess.run(  # noqa: S603  (a program of ours)
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
