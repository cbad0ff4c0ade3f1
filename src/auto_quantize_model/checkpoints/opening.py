"""Opening a checkpoint in the format that it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auto_quantize_model.checkpoints.checkpoint import AGAIN
from auto_quantize_model.checkpoints.folder import SafetensorsFolder
from auto_quantize_model.checkpoints.gguf_file import SUFFIX, GgufFile

if TYPE_CHECKING:
    from pathlib import Path

    from auto_quantize_model.checkpoints.checkpoint import Checkpoint


def open_checkpoint(path: Path, fix: str = AGAIN) -> Checkpoint:
    """Open a folder of safetensors, or a GGUF file; what cannot work is an `InputError` that ends with `fix`."""
    return (GgufFile if path.suffix == SUFFIX and not path.is_dir() else SafetensorsFolder)(path, fix)
