from __future__ import annotations

import platform
from typing import TYPE_CHECKING

import torch

from auto_quantize_model.engine.machine import environment

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

CPU = torch.device("cpu")
TWO = "".join(f"processor : {n}\nmodel name\t: Some CPU\ncpu family\t: 6\nmodel : 85\n\n" for n in range(2))


def hardware(monkeypatch: pytest.MonkeyPatch, file: Path) -> str:
    monkeypatch.setattr(environment, "PROCESSORS", file)
    return environment.describe_environment(CPU)["hardware"]


def test_processors_that_round_differently_have_other_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    found = set()
    for text in (TWO, TWO.replace("Some CPU", "Another CPU"), TWO.replace("model : 85", "model : 143")):
        file.write_text(text, encoding="utf-8")
        found.add(hardware(monkeypatch, file))
    assert len(found) == 3
    assert f"Some CPU family 6 model 85, {platform.machine()} " in " ".join(found)


def test_the_number_of_threads_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    assert environment.describe_environment(CPU)["hardware"].endswith(", 7 threads")


def test_a_system_without_that_file_still_names_its_processor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model, instructions, threads = hardware(monkeypatch, tmp_path / "none").split(", ")
    assert model
    assert instructions.startswith(platform.machine())
    assert threads.endswith(" threads")
