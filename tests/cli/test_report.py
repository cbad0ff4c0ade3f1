from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from auto_quantize_model.cli import main
from auto_quantize_model.manifest.document import dumps

LEGACY = Path(__file__).resolve().parents[3] / "shared" / "legacy"
"""Published results of an older tool; beside the checkout of those who have them."""

if TYPE_CHECKING:
    from collections.abc import Callable

OLDER: dict[str, Any] = {
    "scheme": {"name": "wfp8_afp8_autoquant_lm"},
    "model": {"id": "some/model"},
    "autoquant_state": {"constraints": {"effective_bits": 8.0}, "score": 3.5, "is_satisfied": True},
    "layer_sensitivity": {
        "layers.0.mlp.down_proj.quant_recipe": {
            "formats": ["FP8_DEFAULT_CFG(effective-bits: 8.0)", "NONE(effective-bits: 16.0)"],
            "scores": [0.5, 0.0],
            "costs": [12451840.0, 24903680.0],
            "importance": 0.5,
            "rank": 1,
        },
        "layers.1.mlp.down_proj.quant_recipe": {
            "formats": ["FP8_DEFAULT_CFG(effective-bits: 8.0)", "NONE(effective-bits: 16.0)"],
            "scores": [3.0, 0.0],
            "costs": [12451840.0, 24903680.0],
            "importance": 3.0,
            "rank": 2,
        },
    },
}


@pytest.fixture
def older(tmp_path: Path) -> Path:
    file = tmp_path / "old_quant_manifest.json"
    file.write_text(dumps(OLDER), encoding="utf-8")
    return file


def test_an_older_manifest_gets_the_older_tables(older: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(older)]) == 0
    assert "wrote" in capsys.readouterr().out
    table = [line for line in (older.parent / "per-layer-sensitivity.md").read_text().splitlines() if line[:1] == "|"]
    assert table == [
        "|Layer|Num Bits|Sensitivity|Size Cost|",
        "| :--- | :--- | :--- | :--- |",
        "|layers.1.mlp.down_proj|8.0|3.000e+00|1.245e+07|",
        "|layers.0.mlp.down_proj|8.0|5.000e-01|1.245e+07|",
    ]
    report = json.loads((older.parent / "per-layer-sensitivity.json").read_text())
    assert set(report) == {"scheme", "model", "autoquant_state", "layer_sensitivity"}
    assert report["layer_sensitivity"][0] == {
        "layer": "layers.1.mlp.down_proj",
        "num_bits": 8.0,
        "sensitivity": 3.0,
        "size_cost": 12451840.0,
    }


@pytest.mark.skipif(not LEGACY.is_dir(), reason="needs the older tool's published results")
@pytest.mark.parametrize("folder", sorted(LEGACY.glob("*")), ids=lambda folder: folder.name)
def test_published_results_regenerate(folder: Path, tmp_path: Path) -> None:
    (manifest,) = folder.glob("*manifest.json")
    assert main(["report", str(manifest), "--output", str(tmp_path)]) == 0
    for name in ("per-layer-sensitivity.json", "per-layer-sensitivity.md"):
        mine = (tmp_path / name).read_text(encoding="utf-8")
        theirs = (folder / name).read_text(encoding="utf-8")
        if name.endswith(".json"):
            assert mine.rstrip("\n") == theirs.rstrip("\n")
        else:
            assert [line for line in mine.splitlines() if line.startswith("|")] == [
                line for line in theirs.splitlines() if line.startswith("|")
            ]


def test_an_older_tools_reports_are_not_overwritten(older: Path, capsys: pytest.CaptureFixture[str]) -> None:
    published = older.parent / "per-layer-sensitivity.md"
    published.write_text("as it was published\n", encoding="utf-8")
    assert main(["report", str(older)]) == 2
    assert "an older tool's report, which would be lost; give --output DIR" in capsys.readouterr().err
    assert published.read_text(encoding="utf-8") == "as it was published\n"
    assert main(["report", str(older), "--output", str(older.parent / "new")]) == 0
    assert main(["report", str(older.parent / "new" / ".." / older.name), "--output", str(older.parent)]) == 0


def without(*keys: str) -> Callable[[dict[str, Any]], None]:
    def change(manifest: dict[str, Any]) -> None:
        for key in keys[:-1]:
            manifest = manifest[key]
        del manifest[keys[-1]]

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("scheme"), "'scheme' is a required property"),
        (without("autoquant_state", "score"), "autoquant_state: 'score' is a required property"),
        (
            without("layer_sensitivity", "layers.0.mlp.down_proj.quant_recipe", "costs"),
            "layer_sensitivity.layers.0.mlp.down_proj.quant_recipe: 'costs' is a required property",
        ),
        (lambda manifest: manifest.update(schema_version=1), "is a required property"),
        (lambda manifest: manifest.update(schema_version=99), "the newest that this version reads is 1"),
    ],
)
def test_a_manifest_that_lacks_something_is_one_line(
    older: Path, capsys: pytest.CaptureFixture[str], change: Callable[[dict[str, Any]], None], message: str
) -> None:
    manifest = json.loads(older.read_text())
    change(manifest)
    older.write_text(json.dumps(manifest), encoding="utf-8")
    assert main(["report", str(older)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {older}: ")
    assert message in line
    assert not (older.parent / "per-layer-sensitivity.md").exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b"9" * 5000, b"NaN"])
def test_what_is_no_manifest_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(content)
    assert main(["report", str(file)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {file}: not ")


def test_an_older_manifest_with_odd_extras_is_still_read(older: Path) -> None:
    manifest = json.loads(older.read_text())
    manifest.update(case=5, calibration={})
    manifest["layer_sensitivity"]["layers.0.mlp.down_proj.quant_recipe"]["formats"] = ["X(effective-bits: 4..5)"]
    older.write_text(json.dumps(manifest), encoding="utf-8")
    assert main(["report", str(older)]) == 0
    assert "|layers.0.mlp.down_proj|n/a|5.000e-01|" in (older.parent / "per-layer-sensitivity.md").read_text()


def test_text_that_no_file_can_hold_is_one_line(older: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = json.loads(older.read_text())
    manifest["scheme"]["name"] = "\ud800"
    older.write_text(json.dumps(manifest), encoding="utf-8")
    assert main(["report", str(older)]) == 2
    assert "cannot be written: surrogates not allowed" in capsys.readouterr().err


def test_a_missing_manifest_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path / "none.json")]) == 2
    assert "no such file" in capsys.readouterr().err
    assert main(["report", str(tmp_path)]) == 2
    assert "cannot be read" in capsys.readouterr().err
