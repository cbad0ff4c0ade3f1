"""What tensors take of a device's memory, what is free of it, and giving it back."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable


def bytes_of(tensors: Iterable[torch.Tensor]) -> int:
    """What tensors take; those that share their values once."""
    storages = [tensor.untyped_storage() for tensor in tensors]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


def free_device_memory(device: torch.device) -> int:
    """What a GPU has free, with what this process holds of it without need."""
    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


def release_memory() -> None:
    """Free what nothing refers to any more, and give it back to the driver."""
    gc.collect()
    # Does nothing where CUDA has not started.
    torch.cuda.empty_cache()
