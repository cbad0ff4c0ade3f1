"""A process that may not have the memory that it needs."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.places import ROOT, SUITE

from auto_quantize_model.errors import describe_bug

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.skipif(sys.platform != "linux", reason="ulimit -v")
@pytest.mark.parametrize("kilobytes", [400_000, 700_000])
def test_a_limit_too_low_for_torch_is_one_line_that_blames_the_limit(kilobytes: int, tmp_path: Path) -> None:
    run = [sys.executable, "-m", "auto_quantize_model", "run", "--suite", str(SUITE), "--models-root", "models"]
    run += ["--device", "cpu", "-k", "tiny and small and wint8_afp16", "--output", str(tmp_path / "out")]
    command = ["bash", "-c", f'ulimit -v {kilobytes}; exec "$@"', "bash", *run]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: out of memory (")
    assert "ulimit -v" in done.stderr
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1441792 bytes."),
        OSError(12, "Cannot allocate memory"),
    ],
)
def test_what_lacks_memory_is_no_bug(error: Exception) -> None:
    said = describe_bug(error, "report it")
    assert said.startswith("out of memory (")
    assert "a bug" not in said


@pytest.mark.parametrize("limited", [True, False])
def test_an_error_that_compiled_code_lost_is_one_of_memory_only_under_a_limit(
    monkeypatch: pytest.MonkeyPatch, limited: bool
) -> None:
    monkeypatch.setattr("auto_quantize_model.errors._is_limited", lambda: limited)
    with pytest.raises(SystemError) as caught:
        raise SystemError("error return without exception set")
    said = describe_bug(caught.value, "report it")
    assert said.startswith("out of memory (") is limited
