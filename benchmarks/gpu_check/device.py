"""All that differs between a GPU and the CPU that stands in for it in a rehearsal."""

from __future__ import annotations

import contextlib
import os
import resource
import warnings
from typing import TYPE_CHECKING, Literal, Protocol

import torch

from auto_quantize_model.families.device_memory import release_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

    Caught = list[warnings.WarningMessage]


class Device(Protocol):
    """Where the check runs."""

    @property
    def name(self) -> Literal["cuda", "cpu"]:
        """As torch calls it."""

    @property
    def label(self) -> str:
        """As people call it."""

    def synchronise(self) -> None:
        """Wait until the device has done all that it was given."""

    def forget_peak(self) -> None:
        """Free what nobody holds, and count the peak from now on."""

    def peak(self) -> float:
        """The most memory that was in use since, in GB."""

    def environment(self, worker: int) -> dict[str, str]:
        """What a worker process needs in its environment to take a device of its own, where there are several."""

    def synchronisations(self) -> contextlib.AbstractContextManager[Caught | None]:
        """Collect a warning for each time that the device is waited for; None where the device cannot tell."""


class Gpu:
    """The first CUDA device."""

    name: Literal["cuda"] = "cuda"

    def __init__(self) -> None:
        """Start CUDA."""
        self.label = f"{torch.cuda.get_device_name()} (CUDA {torch.version.cuda})"

    def synchronise(self) -> None:
        """Wait until the device has done all that it was given."""
        torch.cuda.synchronize()

    def forget_peak(self) -> None:
        """Free what nobody holds, and count the peak from now on."""
        release_memory()
        torch.cuda.reset_peak_memory_stats()

    def peak(self) -> float:
        """The most that was allocated since."""
        return torch.cuda.max_memory_allocated() / 1e9

    def environment(self, worker: int) -> dict[str, str]:
        """One of the visible devices."""
        every = ",".join(map(str, range(torch.cuda.device_count())))
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", every).split(",")
        return {"CUDA_VISIBLE_DEVICES": visible[worker % len(visible)]}

    @contextlib.contextmanager
    def synchronisations(self) -> Iterator[Caught | None]:
        """Let torch warn."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.filterwarnings("always", message=".*synchronizing CUDA operation")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                yield caught
            finally:
                torch.cuda.set_sync_debug_mode("default")


class Cpu:
    """The stand-in."""

    name: Literal["cpu"] = "cpu"
    label = "CPU"

    def synchronise(self) -> None:
        """Nothing is ever pending."""

    def forget_peak(self) -> None:
        """A process cannot forget its peak."""

    def peak(self) -> float:
        """That of the whole process."""
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9

    def environment(self, worker: int) -> dict[str, str]:  # noqa: ARG002  the protocol's
        """The workers share the CPU: a thread that waits must not keep it from the others."""
        return {"OMP_WAIT_POLICY": "passive"}

    @contextlib.contextmanager
    def synchronisations(self) -> Iterator[Caught | None]:
        """There is nothing to wait for."""
        yield None
