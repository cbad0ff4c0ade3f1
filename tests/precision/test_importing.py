"""What is put off when ModelOpt is imported, and that it is not lost."""

from __future__ import annotations

import gc
import subprocess
import sys
from typing import TYPE_CHECKING

import torch

from auto_quantize_model.collecting import collector_paused
from auto_quantize_model.precision.importing import compiling_later

if TYPE_CHECKING:
    import pytest


def test_modelopt_is_imported_without_the_compilers_back_end_and_left_alone_at_the_end() -> None:
    code = (
        "import gc, sys\n"
        "from auto_quantize_model.precision.importing import import_modelopt\n"
        "import_modelopt()\n"
        "assert gc.isenabled()\n"
        "assert 'modelopt.torch.quantization' in sys.modules\n"
        "print('torch._inductor.compile_fx' in sys.modules)\n"
        "import atexit\n"
        "atexit._run_exitfuncs()\n"
        "print(gc.get_freeze_count() > 100_000)\n"
    )
    found = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert found.stdout.split()[-2:] == ["False", "True"]


def test_what_is_decorated_meanwhile_is_compiled_when_it_first_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[object] = []

    def compile_now(function: object, **options: object) -> object:
        compiled.append((function, options))
        return function

    monkeypatch.setattr(torch, "compile", compile_now)
    with compiling_later():

        @torch.compile(dynamic=True)
        def plus_one(number: int) -> int:
            """Add one."""
            return number + 1

        module = torch.nn.Linear(1, 1)
        assert torch.compile(module) is module, "what is no plain function is compiled at once"
    assert compiled == [(module, {})]
    assert vars(torch)["compile"] is compile_now
    assert (plus_one.__name__, plus_one.__doc__) == ("plus_one", "Add one.")
    assert [plus_one(1), plus_one(2)] == [2, 3]
    assert len(compiled) == 2
    assert compiled[1] == (vars(plus_one)["__wrapped__"], {"dynamic": True})


def test_the_collector_is_as_it_was_afterwards() -> None:
    assert gc.isenabled()
    with collector_paused():
        assert not gc.isenabled()
    assert gc.isenabled()
    gc.disable()
    try:
        with collector_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
