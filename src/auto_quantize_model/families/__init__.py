"""Model families: how a checkpoint becomes a language model that the engines can run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auto_quantize_model.collecting import collector_paused
from auto_quantize_model.families.causal_lm import load_causal_lm
from auto_quantize_model.families.placement import place
from auto_quantize_model.families.quiet import quiet_transformers
from auto_quantize_model.families.qwen3_vl import load_qwen3_vl
from auto_quantize_model.families.vlm import load_vlm

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch

    from auto_quantize_model.cases.settings import Family, ModelSettings
    from auto_quantize_model.checkpoints.checkpoint import Checkpoint
    from auto_quantize_model.families.loaded import LoadedModel

_LOADERS: Mapping[Family, Callable[[Checkpoint, str], LoadedModel]] = {
    "causal_lm": load_causal_lm,
    "qwen3_vl": load_qwen3_vl,
    "vlm": load_vlm,
}


def load_model(settings: ModelSettings, checkpoint: Checkpoint, device: torch.device) -> LoadedModel:
    """Load a model in its family's way, frozen and in evaluation mode, and check its weights."""
    with collector_paused(), quiet_transformers(), checkpoint.being_loaded():
        loaded = _LOADERS[settings.family](checkpoint, settings.dtype)
    loaded.freeze()
    place(loaded, device)
    loaded.check_finite(checkpoint)
    return loaded
