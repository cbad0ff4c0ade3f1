"""Ctrl-C while a library works that makes an error of its own of it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors import SafetensorError
from tests.places import TINY

from auto_quantize_model.checkpoints.opening import open_checkpoint
from auto_quantize_model.engine.capture import files
from auto_quantize_model.engine.capture.files import CaptureFiles
from auto_quantize_model.engine.capture.recording import CapturedBatch
from auto_quantize_model.interrupts import interrupts_prevail

if TYPE_CHECKING:
    from pathlib import Path


def as_a_library_does(*_: Any, **__: Any) -> Any:
    """Ctrl-C, and what becomes of it where Rust calls Python."""
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        raise SafetensorError("cannot be read") from None
    raise AssertionError("nothing came")


def swallowing() -> None:
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        return


@pytest.mark.parametrize("library", [as_a_library_does, swallowing])
def test_an_interrupt_is_one_whatever_a_library_makes_of_it(library: Any) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), interrupts_prevail():
        library()
    assert signal.getsignal(signal.SIGINT) is before


def test_an_error_without_an_interrupt_stays_what_it_is() -> None:
    with pytest.raises(SafetensorError, match="half"), interrupts_prevail():
        raise SafetensorError("half")


def test_a_capture_is_not_taken_for_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is damaged is removed: an interrupt would cost a capture of hours."""
    written = CaptureFiles(tmp_path, ["x"], {"model": "x"})
    written.write(0, CapturedBatch(torch.ones(1), torch.zeros(()), {}, {}))
    monkeypatch.setattr(files, "safe_open", as_a_library_does)
    with pytest.raises(KeyboardInterrupt):
        CaptureFiles(tmp_path, ["x"], {"model": "x"}).read_head(0)
    assert (tmp_path / "x.safetensors").is_file()


def test_a_checkpoint_is_not_taken_for_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = open_checkpoint(TINY / "checkpoint")
    monkeypatch.setattr("auto_quantize_model.checkpoints.folder.safe_open", as_a_library_does)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.digest()
