"""The machine and the versions behind a result: stated with the compared values, and never compared themselves."""

from __future__ import annotations

import functools
import platform
from importlib import metadata
from pathlib import Path

import torch

PROCESSORS = Path("/proc/cpuinfo")
_PACKAGES = {"modelopt": "nvidia-modelopt", "torch": "torch", "transformers": "transformers", "numpy": "numpy"}


def describe_environment(device: torch.device) -> dict[str, str]:
    """Versions and the kind of processor; nothing that names a host or a path."""
    hardware = torch.cuda.get_device_name(device) if device.type == "cuda" else _describe_processor()
    return {**_versions(), "python": platform.python_version(), "system": platform.system(), "hardware": hardware}


@functools.cache
def _versions() -> dict[str, str]:
    return {name: metadata.version(package) for name, package in _PACKAGES.items()}


def _describe_processor() -> str:
    """What of a processor rounds differently: its model, its vector instructions, and how the work is shared out."""
    instructions = f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
    return f"{_processor_model()}, {instructions}, {torch.get_num_threads()} threads"


def _processor_model() -> str:
    """The processor as Linux names it; a cloud's name may cover several generations, which the numbers tell apart."""
    try:
        lines = PROCESSORS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    if "model name" not in facts:
        return platform.processor() or "unnamed processor"
    generation = [f"{key.removeprefix('cpu ')} {facts[key]}" for key in ("cpu family", "model") if key in facts]
    return " ".join((facts["model name"], *generation))
