"""Captures with a flipped bit, and disks that are full."""

from __future__ import annotations

import errno
import os
import random
from typing import TYPE_CHECKING, Any

import pytest
import torch

from auto_quantize_model import InputError
from auto_quantize_model.engine.capture import files
from auto_quantize_model.engine.capture.files import CaptureFiles, DamagedCaptureError
from auto_quantize_model.engine.capture.recording import CapturedBatch
from auto_quantize_model.whole_files import write_files

if TYPE_CHECKING:
    from pathlib import Path


def capture(folder: Path) -> CaptureFiles:
    return CaptureFiles(folder, ["x"], {"model": "x"})


def batch() -> CapturedBatch:
    torch.manual_seed(0)
    return CapturedBatch(
        torch.rand(3), torch.zeros(()), {"group": torch.rand(4, 6)}, {"layer": [torch.rand(4, 5), torch.rand(4, 5)]}
    )


def everything(folder: Path) -> list[torch.Tensor]:
    kept = capture(folder)
    head, part = kept.read_head(0), kept.read_part(0, ["group", "layer"])
    gradients = [each for of_layer in part.gradients.values() for each in of_layer]
    return [head.maxima, head.outside, *part.inputs.values(), *gradients]


def test_a_flipped_bit_is_noticed_wherever_it_is(tmp_path: Path) -> None:
    """In the header's length, its text, its checksums, or the numbers; what is damaged is removed, to be made anew."""
    capture(tmp_path).write(0, batch())
    file = tmp_path / "x.safetensors"
    whole, expected = file.read_bytes(), everything(tmp_path)
    header = 8 + int.from_bytes(whole[:8], "little")
    chance = random.Random(3)  # noqa: S311  no secret
    places = [*range(8), *chance.sample(range(8, header), 150), *chance.sample(range(header, len(whole)), 60)]
    noticed: list[str] = []
    for place in places:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << chance.randrange(8)
        file.write_bytes(flipped)
        try:
            found = everything(tmp_path)
        except DamagedCaptureError as error:
            noticed.append(str(error))
            assert not file.exists()
        else:
            assert len(found) == len(expected), place
            assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True)), place
    assert all(line.startswith(f"{file}: damaged (") and line.isprintable() for line in noticed)
    assert len(noticed) > len(places) * 0.9


def test_a_full_disk_under_a_capture_says_what_to_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    written = capture(tmp_path)
    monkeypatch.setattr(files, "save_file", full)
    with pytest.raises(InputError, match="captures cannot be written: No space left on device; free space, or name"):
        written.write(0, batch())
    assert not list(tmp_path.glob("*.part")) + list(tmp_path.glob(".*.part"))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")  # noqa: PTH110
def test_a_full_disk_under_a_report_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tmp_path, {"a.json": "old"})

    def full(self: Path, content: bytes) -> int:
        with open("/dev/full", "wb", buffering=0) as device:  # noqa: PTH123
            return device.write(content)

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(InputError, match="cannot be written: No space left on device"):
        write_files(tmp_path, {"a.json": "new"})
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == "old"
