"""What a worker of pytest-xdist has of the machine: which GPU, and with how many others."""

from __future__ import annotations

import os


def share_processors() -> None:
    """Let threads that wait for work sleep; must come before torch is imported in this process.

    They spin otherwise, which is faster for one process, and keeps several from the processors that they share.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def processes_a_device(workers: int) -> int:
    """How many workers share a GPU at most; without one, all share the machine's memory. Ask before `take_gpu`."""
    return -(-workers // max(len(_visible()), 1))


def take_gpu(worker: str) -> None:
    """Narrow this worker's view to one of the visible GPUs; must come before CUDA starts in this process.

    The environment is set, rather than a device index passed on, because kernels run on the *current* device.
    """
    number = worker.removeprefix("gw")
    if not number.isdecimal():
        return
    visible = _visible()
    if len(visible) > 1:
        os.environ["CUDA_VISIBLE_DEVICES"] = visible[int(number) % len(visible)]


def _visible() -> list[str]:
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [each.strip() for each in named.split(",") if each.strip()]
    import torch

    # Asks the driver's management library, which does not start CUDA.
    return [str(index) for index in range(torch.cuda.device_count())]
