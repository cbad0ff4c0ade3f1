"""Ctrl-C on a real terminal, in each stage: the terminal's own signal, to everything that runs in it."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from tests.places import SUITE

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 120
BEGINS = """
import fcntl, os, runpy, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
"""Makes the terminal the process's own, as a shell does, so that the keys reach it as signals."""


def type_ctrl_c_at(arguments: list[str], at: str) -> tuple[int, str]:
    """Type it once the screen shows something; the exit status, and all that the screen showed."""
    terminal, its_end = pty.openpty()
    command = [sys.executable, "-c", BEGINS, *arguments]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "150"}
    with subprocess.Popen(command, stdin=its_end, stdout=its_end, stderr=its_end, env=environment) as process:  # noqa: S603
        os.close(its_end)
        shown, typed, deadline = "", False, time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            if select.select([terminal], [], [], 0.05)[0]:
                try:
                    shown += os.read(terminal, 65_536).decode(errors="replace")
                except OSError:
                    break
            if not typed and re.search(at, shown):
                os.write(terminal, b"\x03")
                typed = True
        else:
            process.kill()
        with contextlib.suppress(OSError):
            os.close(terminal)
        return process.wait(), re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)


@pytest.mark.parametrize("stage", ["load", "capture", "replay", "measure"])
def test_the_command_line_ends_with_one_line(tmp_path: Path, stage: str) -> None:
    arguments = [
        "auto_quantize_model",
        "run",
        "--suite",
        str(SUITE),
        "--device",
        "cpu",
        "-k",
        "tiny and medium and afp8",
    ]
    arguments += ["--measure", "cases", "--output", str(tmp_path), "--capture-dir", str(tmp_path / "captures")]
    status, shown = type_ctrl_c_at(arguments, stage)
    assert status == 130, shown
    assert "Traceback" not in shown
    assert "interrupted" in shown.splitlines()[-1]
    assert not list(tmp_path.rglob(".*.part"))


def test_pytest_ends_as_it_does(tmp_path: Path) -> None:
    arguments = ["pytest", str(SUITE.parent), "-m", "gpu", "-k", "tiny and medium and afp8", "-p", "no:cacheprovider"]
    arguments += ["--sensitivity-output", str(tmp_path), "--sensitivity-capture-dir", str(tmp_path / "captures")]
    status, shown = type_ctrl_c_at(arguments, "replay")
    assert status == 2, shown
    assert "KeyboardInterrupt" in shown
    assert "INTERNALERROR" not in shown
    assert not list(tmp_path.rglob(".*.part"))
