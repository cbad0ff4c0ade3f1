"""Randomly initialised Qwen3-VL checkpoints of any shape."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import torch
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

if TYPE_CHECKING:
    from pathlib import Path


@dataclasses.dataclass(frozen=True, slots=True)
class Shape:
    """What a language model's cost depends on."""

    layers: int
    hidden: int
    intermediate: int
    heads: int
    key_value_heads: int
    vocabulary: int
    head: int = 128
    positions: int = 512


def build(shape: Shape, vision_layers: int, folder: Path, dtype: torch.dtype, device: str = "cpu") -> None:
    """Initialise a model on a device and write its checkpoint; the small vision tower is there only to be left out."""
    text = {
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.key_value_heads,
        "head_dim": shape.head,
        "max_position_embeddings": shape.positions,
        "rope_scaling": {"rope_type": "default", "mrope_section": [24, 20, 20], "mrope_interleaved": True},
    }
    vision = {
        "depth": vision_layers,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_heads": 4,
        "out_hidden_size": shape.hidden,
        "deepstack_visual_indexes": list(range(vision_layers)),
    }
    config = Qwen3VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=True)
    torch.manual_seed(0)
    default = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            model = Qwen3VLForConditionalGeneration(config)
    finally:
        torch.set_default_dtype(default)
    model.save_pretrained(folder)
