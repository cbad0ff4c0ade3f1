"""What an installed wheel brings, and that a suite elsewhere needs nothing else of the repository."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.places import ROOT, SUITE

from auto_quantize_model.captions.nested import SIZE_CAPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

LOAD_A_SUITE = """\
import json, sys
import auto_quantize_model
suite = auto_quantize_model.load_suite("suite.yaml", models_root="models")
found = {
    "package": auto_quantize_model.__file__,
    "cases": [case.id for case in suite.cases],
    "captions": sorted({str(file) for case in suite.cases for file in case.captions.files}),
    "modules": [name for name in ("torch", "pytest") if name in sys.modules],
}
sys.stdout.write(json.dumps(found))
"""


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_holds_the_package_and_the_built_in_configuration(wheel: Path) -> None:
    home = "auto_quantize_model/builtin"
    builtin = {name: text for name, text in contents(wheel).items() if name.startswith(f"{home}/")}
    files = [*SUITE.parent.glob("conf/*/*.yaml"), *SUITE.parent.glob("data/embedded_captions_*.txt")]
    assert builtin == {f"{home}/{file.relative_to(SUITE.parent).as_posix()}": file.read_bytes() for file in files}
    assert len(builtin) == 32


def test_the_wheel_holds_every_module_and_schema_and_no_test(wheel: Path) -> None:
    names = set(contents(wheel))
    package = {file.relative_to(ROOT / "src").as_posix() for file in (ROOT / "src").rglob("*.py")}
    assert package <= names
    assert {f"auto_quantize_model/manifest/{name}.json" for name in ("schema", "schema_older")} <= names
    assert "auto_quantize_model/py.typed" in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"auto_quantize_model"}
    assert not [name for name in names if Path(name).name.startswith(("test_", "conftest", "README"))]


def test_the_wheel_holds_no_grammar_of_captions(wheel: Path) -> None:
    grammar = {file.read_bytes() for file in (ROOT / "models" / "qwen3_vl_tiny" / "captions").rglob("*.py")}
    found = contents(wheel)
    assert not [name for name, text in found.items() if text in grammar]
    room = {Path(name).stem for name in found if name.startswith("auto_quantize_model/captions/")}
    assert room == {"__init__", "coco", "json_lines", "nested", "parquet", "reading", "samples", "source"}


def test_a_users_own_captions_stay_out_of_the_wheel(build: Callable[[str, Path], Path], tmp_path: Path) -> None:
    source = tmp_path / "source"
    unpack_sdist(build("sdist", ROOT), source)
    for name in ("coco2017_captions_small.txt", "my_captions_small.txt"):
        (source / "sensitivity_cases" / "data" / name).write_text("not ours\n", encoding="utf-8")
    data = [name for name in contents(build("wheel", source)) if "/builtin/data/" in name]
    assert [Path(name).stem for name in sorted(data)] == [f"embedded_captions_{size}" for size in sorted(SIZE_CAPTIONS)]


def test_a_wheel_from_the_sdist_is_the_same(wheel: Path, build: Callable[[str, Path], Path], tmp_path: Path) -> None:
    unpack_sdist(build("sdist", ROOT), tmp_path / "source")
    assert not (tmp_path / "source" / "models").exists()
    assert contents(build("wheel", tmp_path / "source")) == contents(wheel)


def unpack_sdist(sdist: Path, folder: Path) -> None:
    with tarfile.open(sdist) as archive:
        # Pythons of before 3.11.4 take no filter.
        vars(archive)["extraction_filter"] = getattr(tarfile, "data_filter", None)
        archive.extractall(folder.with_suffix(".unpacked"))  # noqa: S202  built by this test
    (inside,) = folder.with_suffix(".unpacked").iterdir()
    inside.rename(folder)


def test_an_editable_install_copies_nothing(tmp_path: Path) -> None:
    code = f"from hatchling.build import build_editable; build_editable({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)  # noqa: S603
    (editable,) = tmp_path.iterdir()
    files = {name: text for name, text in contents(editable).items() if ".dist-info/" not in name}
    assert [Path(name).suffix for name in files] == [".pth"]
    assert [text.decode().strip() for text in files.values()] == [str(ROOT / "src")]


@pytest.fixture
def found(unpacked_wheel: Path, tmp_path: Path) -> dict[str, Any]:
    """What a suite of two files sees of the unpacked wheel, in a process that runs elsewhere."""
    (tmp_path / "suite.yaml").write_text("models: [mine]\n", encoding="utf-8")
    (tmp_path / "models" / "mine").mkdir(parents=True)
    (tmp_path / "models" / "mine" / "model.yaml").write_text("family: causal_lm\n", encoding="utf-8")
    command = [sys.executable, "-c", LOAD_A_SUITE]
    environment = os.environ | {"PYTHONPATH": str(unpacked_wheel)}
    done = subprocess.run(  # noqa: S603
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_a_suite_of_two_files_has_the_whole_matrix(found: dict[str, Any], unpacked_wheel: Path) -> None:
    assert Path(found["package"]) == unpacked_wheel / "auto_quantize_model" / "__init__.py"
    assert len(found["cases"]) == 30
    assert found["cases"][0] == "mine-wfp4_afp4-small"
    data = unpacked_wheel / "auto_quantize_model" / "builtin" / "data"
    assert found["captions"] == [str(data / f"embedded_captions_{size}.txt") for size in ("large", "medium", "small")]
    assert all(Path(file).is_file() for file in found["captions"])
    assert not found["modules"]
