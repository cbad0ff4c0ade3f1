"""Small, randomly initialised checkpoints that tests make for themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from tests.places import TINY
from transformers import (
    AutoTokenizer,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
)

if TYPE_CHECKING:
    from pathlib import Path


def build_llama(folder: Path, **changes: Any) -> None:
    """A Llama with two layers and a head of its own."""
    tokenizer = AutoTokenizer.from_pretrained(TINY / "checkpoint")
    settings = {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 160,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 128,
        "initializer_range": 0.2,
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    torch.manual_seed(3)
    LlamaForCausalLM(LlamaConfig(**{**settings, **changes})).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def build_gpt2(folder: Path) -> None:
    """A GPT-2, whose layers are no linear layers but transposed ones."""
    tokenizer = AutoTokenizer.from_pretrained(TINY / "checkpoint")
    torch.manual_seed(3)
    config = GPT2Config(vocab_size=len(tokenizer), n_embd=64, n_layer=1, n_head=2, n_positions=128)
    GPT2LMHeadModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def build_mixtral(folder: Path) -> None:
    """A mixture of experts, whose weights are stacked."""
    tokenizer = AutoTokenizer.from_pretrained(TINY / "checkpoint")
    torch.manual_seed(3)
    config = MixtralConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=2,
        num_local_experts=4,
        max_position_embeddings=128,
    )
    MixtralForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def build_gemma3(folder: Path) -> None:
    """A language model with a vision tower, which `AutoModelForCausalLM` loads as a whole."""
    tokenizer = AutoTokenizer.from_pretrained(TINY / "checkpoint")
    torch.manual_seed(3)
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": 128,
        "sliding_window": 64,
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 28,
        "patch_size": 14,
    }
    config = Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=4, image_token_index=5)
    Gemma3ForConditionalGeneration(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
