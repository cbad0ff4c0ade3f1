"""What the checkpoint's files call a loaded model's layers, and what is beside them: so runtimes are told of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from auto_quantize_model.scores import InCheckpoint

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from auto_quantize_model.engine.capture.groups import Layout
    from auto_quantize_model.families.loaded import LoadedModel


def in_checkpoint(loaded: LoadedModel, layout: Layout) -> InCheckpoint:
    """The names that differ, and the places of all that could be quantized and is neither a layer nor the head."""
    groups = (*layout.groups, *(group for group, _ in layout.left_out), layout.head)
    names, stored = [name for group in groups for name in group.members], loaded.checkpoint_names
    own = {stored.get(name, name) for name in names}
    others = dict.fromkeys(_place(stored.get(name, name), own) for name in _beside(loaded, set(names)))
    return InCheckpoint({name: stored[name] for name in names if name in stored}, tuple(others))


def _beside(loaded: LoadedModel, names: Collection[str]) -> Iterator[str]:
    from modelopt.torch.quantization.nn import QuantModuleRegistry

    for name, module in loaded.model.named_modules():
        if name in names or loaded.in_scope(name) or isinstance(module, torch.nn.Embedding):
            continue
        has_weights = any(each.dim() > 1 for each in module.parameters(recurse=False))
        if has_weights and type(module) in QuantModuleRegistry:
            yield name


def _place(name: str, own: Collection[str]) -> str:
    """The shortest beginning of a name with which no layer's begins."""
    parts = name.split(".")
    for count in range(1, len(parts)):
        place = ".".join(parts[:count])
        if not any(each.startswith(place) for each in own):
            return place
    return name
