"""Starts the server of warm Python processes, and makes the executable that asks it for one."""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
# Third parties only: a program imports the package itself, from where its own `PYTHONPATH` has it.
LIGHT = (
    "filelock",
    "jsonschema_rs",
    "numpy",
    "pydantic.type_adapter",
    "rich.console",
    "rich.table",
    "scipy.stats",
    "yaml",
)
HEAVY = (
    *LIGHT,
    "torch",
    "modelopt.torch.quantization",
    "transformers.models.auto.tokenization_auto",
    "transformers.models.llama.modeling_llama",
    "transformers.models.qwen3_vl.modeling_qwen3_vl",
    "accelerate.hooks",
    "pytest",
)


@contextlib.contextmanager
def warm_python(modules: tuple[str, ...]) -> Iterator[str]:
    """An executable whose processes have imported the modules when they start, for as long as the server runs."""
    # Not a folder of pytest's: the address of a socket has about a hundred characters at most.
    with tempfile.TemporaryDirectory() as name:
        executable, address = Path(name, "python"), Path(name, "socket")
        command = shlex.join([sys.executable, "-IS", str(HERE / "client.py"), str(address)])
        executable.write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
        executable.chmod(0o755)
        with subprocess.Popen(  # noqa: S603  this Python, a file of ours
            [sys.executable, str(HERE / "server.py"), str(address), str(executable), *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as server:
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n"
            yield str(executable)
            # The end of its input ends it.
