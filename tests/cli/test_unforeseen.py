from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

import pytest

from auto_quantize_model import __main__, cli
from auto_quantize_model.cli import main, pairs_command


def broken(_: Any) -> int:
    raise KeyError("first\nsecond")


def test_an_error_that_nobody_foresaw_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pairs_command, "run", broken)
    assert main(["pairs"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: a bug of this program's, not yours: KeyError: ")
    assert "(test_unforeseen.py:" in line
    assert line.endswith("put --debug before the command to see the traceback, and report it")


def test_with_debug_it_has_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs_command, "run", broken)
    with pytest.raises(KeyError, match="first"):
        main(["--debug", "pairs"])


def test_an_interrupt_while_the_command_line_is_imported_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupting:
        def find_spec(self, name: str, *_: Any) -> None:
            if name == "auto_quantize_model.cli":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "auto_quantize_model.cli")
    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])
    assert __main__.run() == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_an_interrupt_while_the_arguments_are_read_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "build_parser", interrupted)
    assert main(["pairs"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_process_that_is_told_to_stop_unwinds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A progress bar hides the cursor: what was begun must end, and the signal means again what it did."""
    unwound: list[bool] = []

    def told_to_stop(_: Any) -> int:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        finally:
            unwound.append(True)
        return 0

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(pairs_command, "run", told_to_stop)
    assert main(["pairs"]) == 143
    assert capsys.readouterr().err == "terminated\n"
    assert unwound == [True]
    assert signal.getsignal(signal.SIGTERM) is before
