"""How much device memory tensors take and how much is free, and releasing it."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable


def bytes_of(tensors: Iterable[torch.Tensor]) -> int:
    """The bytes that tensors take; those that share a storage count once."""
    storages = [tensor.untyped_storage() for tensor in tensors]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


def free_device_memory(device: torch.device) -> int:
    """The bytes that a GPU has free, with what this process has reserved and does not use."""
    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


def release_memory() -> None:
    """Free what nothing refers to any more, and return it to the driver."""
    gc.collect()
    # Does nothing where CUDA has not started.
    torch.cuda.empty_cache()
