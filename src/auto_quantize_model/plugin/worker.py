"""A process of pytest-xdist: its name, what it shares with the others, and what it has of the machine."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

_OUTPUT = "sensitivity_output"
_SHARED = "sensitivity_shared"


SHARED_FOLDER = ".shared-"
"""What the folder begins with that the workers of a run share; the run's name follows."""


@dataclasses.dataclass(frozen=True, slots=True)
class Worker:
    """A process of pytest-xdist, and what its session's workers share."""

    name: str
    count: int
    shared: Path
    """A folder for what one of them makes and all use."""
    output: Path
    """Where all of them write their artifacts."""

    @property
    def run(self) -> str:
        """What tells the session from others."""
        return self.shared.name.removeprefix(SHARED_FOLDER)


def worker_of(config: pytest.Config) -> Worker | None:
    """The worker that this process is; None in the controller, and where there is only one process."""
    workerinput: dict[str, Any] | None = getattr(config, "workerinput", None)
    if workerinput is None:
        return None
    return Worker(
        name=str(workerinput["workerid"]),
        count=int(workerinput["workercount"]),
        shared=Path(workerinput[_SHARED]),
        output=Path(workerinput[_OUTPUT]),
    )


def tell_worker(node: Any, output: Path, shared: Path) -> None:
    """Give a worker that is about to start the places that the controller chose."""
    node.workerinput.update({_OUTPUT: str(output), _SHARED: str(shared)})


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
        return [gpu.strip() for gpu in named.split(",") if gpu.strip()]
    import torch

    # Asks the driver's management library, which does not start CUDA.
    return [str(index) for index in range(torch.cuda.device_count())]
