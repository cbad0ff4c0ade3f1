"""Which devices a model is on, and which of them is the current one."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from auto_quantize_model.families.loaded import LoadedModel


def current(device: torch.device) -> AbstractContextManager[object]:
    """Make a GPU the current one: kernels that ModelOpt compiles run there, wherever their tensors are."""
    return torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext()


def devices_of(loaded: LoadedModel) -> list[torch.device]:
    """Every device that holds a part of the language model, the first one first."""
    devices = (
        parameter.device
        for name, module in loaded.model.named_modules()
        if loaded.in_scope(name)
        for parameter in module.parameters(recurse=False)
    )
    return list(dict.fromkeys([loaded.device, *devices]))
