"""On what the cases will run, said before anything has run, and so without torch, which takes seconds to import."""

from __future__ import annotations

import contextlib
import os
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from auto_quantize_model.options import CLUSTER, DEVICE

if TYPE_CHECKING:
    from auto_quantize_model.cases.suite import Case
    from auto_quantize_model.plugin.options import Options

_DEVICE_FILES = ("nvidia[0-9]*", "nvhost-gpu", "dxg", "kfd")
"""What the drivers of GPUs that torch calls CUDA devices make: NVIDIA's, Jetson's, Windows' for Linux, AMD's."""


def device_line(case: Case, options: Options) -> str:
    """The line for a session that runs a case, and perhaps others."""
    if options.cluster is not None:
        return f"sensitivity: cases run on the hosts of the cluster ({CLUSTER.pytest_flag} {options.cluster})"
    device = options.device or case.autoquant.device
    if device != "auto":
        return f"sensitivity: cases run on {device} ({DEVICE.pytest_flag if options.device else 'autoquant.device'})"
    if sees_gpu():
        return f"sensitivity: cases run on the GPU; {DEVICE.pytest_flag} cpu changes that"
    return "sensitivity: no CUDA GPU is visible; cases run on the CPU, where their model allows it"


def sees_gpu(devices: Path = Path("/dev")) -> bool:
    """Whether torch would find a GPU, as far as that can be told without asking it."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and visible.split(",")[0].strip() in ("", "-1"):
        return False
    with contextlib.suppress(metadata.PackageNotFoundError):
        if metadata.version("torch").endswith("+cpu"):
            return False
    return any(path for pattern in _DEVICE_FILES for path in devices.glob(pattern))
