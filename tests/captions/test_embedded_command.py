from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from captions.command import DATA, main
from tests.places import ROOT, TINY

from auto_quantize_model.captions.reading import read_captions

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_generate_reproduces_the_committed_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "--output", str(tmp_path)]) == 0
    files = [tmp_path / f"embedded_captions_{size}.txt" for size in ("small", "medium", "large")]
    assert capsys.readouterr().out.splitlines() == [f"wrote {file}" for file in files]
    for file in files:
        assert file.read_bytes() == (ROOT / "sensitivity_cases" / "data" / file.name).read_bytes()


def test_generate_with_another_seed(tmp_path: Path) -> None:
    assert main(["generate", "--output", str(tmp_path), "--seed", "5"]) == 0
    name = "embedded_captions_small.txt"
    assert read_captions(tmp_path / name) != read_captions(DATA / name)


def test_generate_where_nothing_can_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["generate", "--output", str(tmp_path / "file")]) == 2
    assert capsys.readouterr().err == f"error: {tmp_path / 'file'}: captions cannot be written: File exists\n"


def test_compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = tmp_path / "a.txt", tmp_path / "b.txt"
    a.write_text("a dog on the grass\n", encoding="utf-8")
    b.write_text("a cat on the grass\n", encoding="utf-8")
    assert main(["compare", str(a), str(b)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == f"| | {a} | {b} |"
    assert told[-1] == "| share of the other's vocabulary covered | 80.0% | |"


def test_it_runs_from_anywhere_as_a_script(tmp_path: Path) -> None:
    command = [sys.executable, str(TINY / "captions"), "generate", "--output", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603
    assert (done.returncode, done.stderr) == (0, "")
    assert len(list(tmp_path.glob("embedded_captions_*.txt"))) == 3
