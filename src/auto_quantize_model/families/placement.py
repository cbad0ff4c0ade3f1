"""Putting a loaded model where it runs: onto one device, or over several GPUs where it is larger than one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from auto_quantize_model.byte_sizes import show_bytes
from auto_quantize_model.errors import CaseError
from auto_quantize_model.families.device_memory import bytes_of, free_device_memory, release_memory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auto_quantize_model.families.loaded import LoadedModel

_SHARE = 0.7
"""The share of a GPU's free memory that weights may take; the pass itself needs the rest."""


def place(loaded: LoadedModel, device: torch.device) -> None:
    """Move what text passes through to a device; what is larger than a GPU is spread over all that can be seen."""
    parts = _parts(loaded)
    if device.type == "cuda":
        release_memory()
        size, free = bytes_of(parts.parameters()), free_device_memory(device)
        one_named, gpus = ":" in str(device), _all_gpus()
        if size > free * _SHARE and not one_named and (size > free or len(gpus) > 1):
            spread(loaded, {index: int(free_device_memory(each) * _SHARE) for index, each in enumerate(gpus)})
            return
        if size > free:
            raise CaseError(
                f"the model takes {show_bytes(size)}, and '{device}' has {show_bytes(free)} free; "
                "let it choose among all GPUs (device cuda), or free it of other processes"
            )
    parts.to(device)


def spread(loaded: LoadedModel, most: Mapping[int | str, int]) -> None:
    """Share the layers out among devices, each with so many bytes at most, as accelerate does it."""
    from accelerate import dispatch_model, infer_auto_device_map

    model = loaded.model
    whole = sorted(getattr(model, "_no_split_modules", None) or ())
    # Without a place to put the rest, accelerate would put it into main memory, where no gradient comes back from.
    places = infer_auto_device_map(model, max_memory={"cpu": 0, **most}, no_split_module_classes=whole)
    if not set(places.values()) <= set(most):
        size, rooms = bytes_of(_parts(loaded).parameters()), " + ".join(show_bytes(room) for room in most.values())
        raise CaseError(
            f"the model takes {show_bytes(size)}, and the GPUs that can be seen have {rooms} for it "
            "beside what the pass needs; let more GPUs be seen, or free them of other processes"
        )
    dispatch_model(model, places, force_hooks=True)


def _all_gpus() -> list[torch.device]:
    return [torch.device("cuda", index) for index in range(torch.cuda.device_count())]


def _parts(loaded: LoadedModel) -> torch.nn.ModuleList:
    """What text passes through: a vision tower stays where it is."""
    model = loaded.model
    if not loaded.language_model:
        return torch.nn.ModuleList([model])
    inside = [model.get_submodule(loaded.language_model), model.get_submodule(loaded.head)]
    return torch.nn.ModuleList([*inside, model.get_input_embeddings()])
