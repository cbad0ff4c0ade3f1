from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.places import LEGACY

from auto_quantize_model.cli import main
from auto_quantize_model.manifest.document import dumps
from auto_quantize_model.manifest.older import is_vision

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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


def test_a_key_of_a_newer_schema_in_an_older_manifest_is_not_taken_for_one(older: Path) -> None:
    manifest = json.loads(older.read_text())
    manifest["statistics"] = {"a": 1}
    older.write_text(json.dumps(manifest))
    assert main(["report", str(older)]) == 0


@pytest.mark.skipif(not LEGACY.is_dir(), reason="needs the older tool's published results")
@pytest.mark.parametrize("folder", sorted(LEGACY.glob("*")), ids=lambda folder: folder.name)
def test_published_results_regenerate(folder: Path, tmp_path: Path) -> None:
    (manifest,) = folder.glob("*manifest.json")
    assert main(["report", str(manifest), "--output", str(tmp_path)]) == 0
    mine, theirs = (json.loads((each / "per-layer-sensitivity.json").read_text()) for each in (tmp_path, folder))
    statuses = [row.pop("status", None) for row in mine["layer_sensitivity"]]
    assert mine == theirs
    assert [is_vision(row["layer"]) for row in theirs["layer_sensitivity"]] == [
        status == "not_exercised" for status in statuses
    ]
    tables = [table_of(each / "per-layer-sensitivity.md") for each in (tmp_path, folder)]
    assert [row[:4] for row in tables[0]] == tables[1]
    assert {tuple(row[4:]) for row in tables[0][2:]} in ({()}, {("scored",), ("not_exercised",)})


def table_of(file: Path) -> list[list[str]]:
    return [line.strip("|").split("|") for line in file.read_text(encoding="utf-8").splitlines() if line[:1] == "|"]


def add_groups(manifest: dict[str, Any], **entries: dict[str, Any]) -> None:
    manifest["layer_sensitivity"].update({name.replace("__", "."): entry for name, entry in entries.items()})


def test_the_zero_of_a_vision_layer_is_said_to_be_none(older: Path) -> None:
    manifest = json.loads(older.read_text())
    zero = {**manifest["layer_sensitivity"]["layers.0.mlp.down_proj.quant_recipe"], "importance": 0.0}
    never = {**zero, "formats": ["NONE(effective-bits: 16.0)"]}
    add_groups(manifest, visual__blocks__0__attn__qkv=zero, layers__2__mlp__down_proj=zero, lm_head=never)
    older.write_text(json.dumps(manifest), encoding="utf-8")
    assert main(["report", str(older), "--output", str(older.parent / "new")]) == 0
    header, _, *rows = table_of(older.parent / "new" / "per-layer-sensitivity.md")
    assert header == ["Layer", "Num Bits", "Sensitivity", "Size Cost", "Status"]
    assert [(row[0], row[2], row[4]) for row in rows] == [
        ("layers.1.mlp.down_proj", "3.000e+00", "scored"),
        ("layers.0.mlp.down_proj", "5.000e-01", "scored"),
        ("visual.blocks.0.attn.qkv", "0.000e+00", "not_exercised"),
        ("layers.2.mlp.down_proj", "0.000e+00", "n/a"),
        ("lm_head", "0.000e+00", "disabled"),
    ]
    report = json.loads((older.parent / "new" / "per-layer-sensitivity.json").read_text())
    assert [row["status"] for row in report["layer_sensitivity"]] == [
        "scored",
        "scored",
        "not_exercised",
        None,
        "disabled",
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


ENTRY = ("layer_sensitivity", "layers.0.mlp.down_proj.quant_recipe")


@pytest.mark.parametrize(
    "keys",
    [
        ("scheme",),
        ("scheme", "name"),
        ("model",),
        ("model", "id"),
        ("autoquant_state",),
        ("autoquant_state", "constraints"),
        ("autoquant_state", "constraints", "effective_bits"),
        ("autoquant_state", "score"),
        ("autoquant_state", "is_satisfied"),
        *((*ENTRY, key) for key in ("formats", "scores", "costs", "importance", "rank")),
    ],
    ids=".".join,
)
def test_what_an_older_manifest_lacks_its_reports_lack(older: Path, keys: tuple[str, ...]) -> None:
    manifest = json.loads(older.read_text())
    without(*keys)(manifest)
    older.write_text(json.dumps(manifest), encoding="utf-8")
    assert main(["report", str(older), "--output", str(older.parent / "new")]) == 0
    report = json.loads((older.parent / "new" / "per-layer-sensitivity.json").read_text())
    assert {key: report.get(key) for key in ("scheme", "model", "autoquant_state")} == {
        key: manifest.get(key) for key in ("scheme", "model", "autoquant_state")
    }
    row = next(row for row in report["layer_sensitivity"] if row["layer"] == "layers.0.mlp.down_proj")
    lost = {"formats": "num_bits", "costs": "size_cost", "importance": "sensitivity"}.get(keys[-1])
    assert set(row) == {"layer", "num_bits", "sensitivity", "size_cost"} - {lost}
    header, _, *rows = table_of(older.parent / "new" / "per-layer-sensitivity.md")
    assert header == ["Layer", "Num Bits", "Sensitivity", "Size Cost"]
    assert len(rows) == 2
    assert ("n/a" in next(row for row in rows if row[0] == "layers.0.mlp.down_proj")) == (lost is not None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("layer_sensitivity"), '"layer_sensitivity" is a required property'),
        (lambda manifest: manifest.update(layer_sensitivity={}), "layer_sensitivity: {} has less than 1 property"),
        (lambda manifest: manifest["layer_sensitivity"][ENTRY[1]].update(costs="much"), 'costs: "much" is not of type'),
        (lambda manifest: manifest.update(layer_sensitivity=[]), "a report of one; give the *_quant_manifest.json"),
        (lambda manifest: manifest.update(schema_version=1), "is a required property"),
        (lambda manifest: manifest.update(schema_version=True), "schema_version is True"),
        (lambda manifest: manifest.update(schema_version=99), "this version of the package reads 1, 2, 3"),
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


@pytest.mark.parametrize("number", ["9" * 400, "1e999"])
def test_a_number_that_no_float_holds_is_one_line(older: Path, capsys: pytest.CaptureFixture[str], number: str) -> None:
    older.write_text(older.read_text().replace('"importance": 0.5', f'"importance": {number}'), encoding="utf-8")
    assert main(["report", str(older)]) == 2
    assert f"not valid JSON: {number[:20]}... is too large a number" in capsys.readouterr().err


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
    error = capsys.readouterr().err
    assert "a character that cannot be printed, in or under the key 'name'" in error
    assert error.count("\n") == 1
    assert not (older.parent / "per-layer-sensitivity.md").exists()


def test_a_missing_manifest_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path / "none.json")]) == 2
    assert "no such file" in capsys.readouterr().err
    assert main(["report", str(tmp_path)]) == 2
    assert "cannot be read" in capsys.readouterr().err
