"""What was measured is kept for a next run and shared between processes, and is never another model's."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from safetensors.torch import load_file, save_file
from tests.faults.test_interrupted import left
from tests.places import SUITE

from auto_quantize_model import CaptureSettings, load_suite, run_cases
from auto_quantize_model.engine.capture.interrupted import forget
from auto_quantize_model.engine.measurement import pass_measurement
from auto_quantize_model.manifest.document import dumps

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auto_quantize_model import Suite

SIZES = "wint8_aint8 and (small or medium)"


def measured(suite: Suite, expression: str, **settings: Any) -> tuple[dict[str, str], list[str]]:
    """The manifests of cases of which two groups are measured alone, and what was said."""
    lines: list[str] = []
    captures = CaptureSettings(**settings)
    results = run_cases(suite.select(expression), device="cpu", captures=captures, measure="top:2", notice=lines.append)
    manifests = {result.case.id: dumps(result.manifest) if result.manifest else str(result.error) for result in results}
    if captures.shared is None:
        forget(captures)
    return manifests, lines


@pytest.fixture
def walks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """On how many captions was measured; the second walk of all is interrupted."""
    seen: list[int] = []
    measure: Any = vars(pass_measurement)["measure"]

    def counted(loaded: Any, groups: Any, tokens: Any, *arguments: Any) -> Any:
        seen.append(len(tokens))
        if len(seen) == 2:
            raise KeyboardInterrupt
        return measure(loaded, groups, tokens, *arguments)

    monkeypatch.setattr(pass_measurement, "measure", counted)
    return seen


def test_a_next_run_measures_what_the_interrupted_one_had_not(
    llama_suite: Callable[..., Suite], tmp_path: Path, walks: list[int]
) -> None:
    with pytest.raises(KeyboardInterrupt):
        measured(llama_suite(), SIZES, folder=tmp_path, run="first")
    assert walks == [16, 128]
    found, lines = measured(llama_suite(), SIZES, folder=tmp_path, run="next")
    assert walks == [16, 128, 128]
    assert [line.partition(" measurements")[1] for line in lines if "measurements" in line] == [" measurements"]
    assert left(tmp_path) == []
    assert measured(llama_suite(), SIZES, folder=tmp_path) == (found, [])
    assert walks == [16, 128, 128, 16, 128]


def test_what_is_damaged_is_measured_again(llama_suite: Callable[..., Suite], tmp_path: Path, walks: list[int]) -> None:
    with pytest.raises(KeyboardInterrupt):
        measured(llama_suite(), SIZES, folder=tmp_path, run="first")
    (file,) = tmp_path.rglob("measured-*.json")
    file.write_bytes(file.read_bytes()[:-9])
    _, lines = measured(llama_suite(), SIZES, folder=tmp_path, run="next")
    assert walks == [16, 128, 16, 128]
    assert next(line for line in lines if line.startswith(f"{file}: damaged")).endswith("; measuring again")


def test_two_models_of_one_shape_in_one_run_are_measured_each_for_itself(llama_root: Path, tmp_path: Path) -> None:
    """With weights alone quantized, and one tokenizer, what is asked of them is the same."""
    for name, factor in (("one", 1.0), ("other", 1.5)):
        shutil.copytree(llama_root / "llama", tmp_path / name)
        for file in (tmp_path / name).rglob("*.safetensors"):
            tensors = {key: tensor * factor if "mlp" in key else tensor for key, tensor in load_file(file).items()}
            save_file(tensors, file, {"format": "pt"})
    suite = load_suite(SUITE, models_root=tmp_path, overrides=["suite.models=[one,other]"])
    alone = {}
    for name in ("one", "other"):
        alone.update(measured(suite, f"{name} and wfp8_afp16 and small", folder=tmp_path / "captures")[0])
    shared = {"folder": tmp_path / "captures", "shared": tmp_path / "shared", "processes": 2}
    together, _ = measured(suite, "wfp8_afp16 and small", **shared)
    assert len(together) == 2
    for case, manifest in alone.items():
        assert together[case] == manifest
