"""The machine and the versions behind a result; they stand beside the compared values, never inside them."""

from __future__ import annotations

import platform
from importlib import metadata

import torch

_PACKAGES = {"modelopt": "nvidia-modelopt", "torch": "torch", "transformers": "transformers", "numpy": "numpy"}


def describe_environment(device: torch.device) -> dict[str, str]:
    """Versions and the kind of processor; nothing that names a host or a path."""
    if device.type == "cuda":
        hardware = torch.cuda.get_device_name(device)
    else:
        hardware = f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
    versions = {name: metadata.version(package) for name, package in _PACKAGES.items()}
    return {**versions, "python": platform.python_version(), "system": platform.system(), "hardware": hardware}
