"""Which GPU a worker of pytest-xdist uses."""

from __future__ import annotations

import os


def take_gpu(worker: str | None) -> None:
    """Narrow this worker's view to one of the visible GPUs; must come before CUDA starts in this process.

    The environment is set, rather than a device index passed on, because kernels run on the *current* device.
    """
    number = (worker or "").removeprefix("gw")
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
