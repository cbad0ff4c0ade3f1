"""What somebody may type or write that is meant to break a parser: one line, at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.places import SUITE, TINY

from auto_quantize_model.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DEEP = 90_000
BOMB = "{a: &a [x,x,x,x,x,x,x,x,x], " + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}], " for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MANIFEST = next(TINY.glob("layer-analysis/*/*_small/*_quant_manifest.json"))


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def run(*arguments: str) -> str:
        assert main(arguments) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: ")
        assert "bug of this program" not in line
        assert len(line) < 800
        return line

    return run


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("autoquant.batch_size=!!timestamp x", "not what its tag says"),
        ("autoquant.batch_size=!!int x", "not what its tag says"),
        ("autoquant.batch_size={!!timestamp x: 1}", "not what its tag says"),
        ("autoquant.batch_size=" + "[" * 2000 + "]" * 2000, "nested more than 50 deep"),
        (f"quant_pair.format={BOMB}j: 1}}", "more than 100000 values, with what its aliases repeat"),
        ("autoquant.batch_size=&a [*a]", "a value that holds itself"),
        ("autoquant.batch_size={a: 1, a: 2}", "the key 'a' is given twice"),
        ("suite.models=['[/b]']", "a name begins with a letter or digit"),
        ("suite.models=" + "{a: " * 40 + "1" + "}" * 40, "models"),
    ],
)
def test_an_override_that_is_meant_to_break_something(refused: Any, value: str, reason: str) -> None:
    assert reason in refused("run", "--suite", str(SUITE), "--override", value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"models: [x]\nbomb: {BOMB}j: 1}}\n", "suite.yaml, line 2, column "),
        ("models: !!timestamp x\n", "not what its tag says"),
        ("!!timestamp x: 1\n", "not what its tag says"),
        ("models: " + "[" * 2000 + "]" * 2000, "nested more than 50 deep"),
        ("models: &a [*a]", "holds itself"),
    ],
)
def test_a_suite_that_is_meant_to_break_something(refused: Any, tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "suite.yaml"
    file.write_text(text, encoding="utf-8")
    line = refused("run", "--suite", str(file))
    assert str(file) in line
    assert reason in line


def test_an_output_that_cannot_be_is_told_before_the_pass(
    refused: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_late(*_: Any, **__: Any) -> Any:
        raise AssertionError("the pass has begun")

    monkeypatch.setattr("auto_quantize_model.run.run_cases", too_late)
    (tmp_path / "file").write_text("", encoding="utf-8")
    line = refused("run", "--suite", str(SUITE), "-k", "tiny and small", "--output", str(tmp_path / "file" / "out"))
    assert "is a file, so nothing can be written into it; name another place" in line


@pytest.mark.parametrize("text", ["not " * 2000 + "tiny", "(" * 2000 + "tiny" + ")" * 2000])
def test_an_expression_without_end(refused: Any, text: str) -> None:
    assert "nested more than 100 deep" in refused("run", "--suite", str(SUITE), "-k", text)


@pytest.mark.parametrize(
    "text",
    ["[" * DEEP + "]" * DEEP, '{"a":' * 900 + "1" + "}" * 900, '{"layer_sensitivity":' + "[" * 900 + "]" * 900 + "}"],
)
@pytest.mark.parametrize("command", ["compare", "report"])
def test_lists_in_lists_for_a_manifest(refused: Any, tmp_path: Path, text: str, command: str) -> None:
    file = tmp_path / "deep.json"
    file.write_text(text, encoding="utf-8")
    assert str(file) in refused(command, str(file), *([str(MANIFEST)] if command == "compare" else []))


@pytest.mark.parametrize(
    "annotations", ["[" * DEEP + "]" * DEEP, '[{"id": ' + "9" * 5000 + ', "image_id": 1, "caption": "x"}]']
)
def test_annotations_that_no_dataset_has(refused: Any, tmp_path: Path, annotations: str) -> None:
    file = tmp_path / "captions.json"
    file.write_text(f'{{"annotations": {annotations}}}', encoding="utf-8")
    assert f"{file}: no COCO annotations" in refused("captions", "coco", str(file), "--output", str(tmp_path / "out"))


def about(**changes: Any) -> dict[str, Any]:
    facts = ("checkpoint_sha256", "family", "dtype", "groups", "computation", "code")
    return {"model": "one", "environment": {"hardware": "x"}, **dict.fromkeys(facts, "x"), **changes}


class TestPruning:
    @pytest.mark.parametrize("days", ["inf", "1e300", "0"])
    def test_any_number_of_days_is_one(self, tmp_path: Path, days: str) -> None:
        mine = tmp_path / "mine"
        mine.mkdir()
        (mine / "about.json").write_text(json.dumps(about()), encoding="utf-8")
        assert main(["captures", "--capture-dir", str(tmp_path), "--prune", "--unused", days]) == 0
        assert not mine.exists(), "it is of another version of the code, and so goes in any case"

    @pytest.mark.parametrize("text", ["{}", '{"model": "x"}', "[" * DEEP + "]" * DEEP, "no JSON", json.dumps([1])])
    def test_a_folder_of_somebody_else_stays(self, tmp_path: Path, text: str) -> None:
        theirs = tmp_path / "theirs"
        theirs.mkdir()
        (theirs / "about.json").write_text(text, encoding="utf-8")
        (theirs / "thesis.tex").write_text("years of work", encoding="utf-8")
        assert main(["captures", "--capture-dir", str(tmp_path), "--prune", "--all"]) == 0
        assert (theirs / "thesis.tex").read_text(encoding="utf-8") == "years of work"
        assert (theirs / "about.json").exists()

    def test_a_file_of_another_kind_keeps_the_folder(self, refused: Any, tmp_path: Path) -> None:
        mine = tmp_path / "mine"
        mine.mkdir()
        (mine / "about.json").write_text(json.dumps(about()), encoding="utf-8")
        (mine / "thesis.tex").write_text("years of work", encoding="utf-8")
        line = refused("captures", "--capture-dir", str(tmp_path), "--prune", "--all")
        assert "thesis.tex: is no file of a capture, so its folder stays" in line
        assert (mine / "thesis.tex").exists()

    def test_no_link_is_followed(self, tmp_path: Path) -> None:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "about.json").write_text(json.dumps(about()), encoding="utf-8")
        root = tmp_path / "captures"
        root.mkdir()
        (root / "link").symlink_to(elsewhere)
        assert main(["captures", "--capture-dir", str(root), "--prune", "--all"]) == 0
        assert (elsewhere / "about.json").exists()
        assert (root / "link").is_symlink()

    def test_names_that_an_encoding_lacks_are_escapes(self, tmp_path: Path) -> None:
        mine = tmp_path / "mine"
        mine.mkdir()
        (mine / "about.json").write_text(json.dumps(about(model="m\u00fcller")), encoding="utf-8")
        plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
        command = [sys.executable, "-m", "auto_quantize_model", "captures", "--capture-dir", str(tmp_path)]
        result = subprocess.run(command, env={**os.environ, **plain}, capture_output=True, check=False)  # noqa: S603
        assert (result.returncode, result.stderr) == (0, b"")
        assert rb"m\xfcller" in result.stdout

    def test_names_of_a_listing_are_text(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        mine = tmp_path / "mine"
        mine.mkdir()
        (mine / "about.json").write_text(json.dumps(about(model="[/b]\x1b[2J")), encoding="utf-8")
        assert main(["captures", "--capture-dir", str(tmp_path)]) == 0
        shown = capsys.readouterr().out
        assert "[/b]" in shown
        assert "\x1b" not in shown
