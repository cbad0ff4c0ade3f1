"""Small, randomly initialised checkpoints that tests make for themselves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import save_file
from tests.places import TINY
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    DeepseekV3Config,
    DeepseekV3ForCausalLM,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    LlamaModel,
    MixtralConfig,
    MixtralForCausalLM,
    OlmoeConfig,
    OlmoeForCausalLM,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen3_5MoeForCausalLM,
    Qwen3_5MoeTextConfig,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
    Qwen3VLMoeConfig,
    Qwen3VLMoeForConditionalGeneration,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
    T5Config,
    T5ForConditionalGeneration,
)

if TYPE_CHECKING:
    from pathlib import Path


_TEXT = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "initializer_range": 0.2,
}
_VISION = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}


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


_EXPERTS = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_experts_per_tok": 2,
    "max_position_embeddings": 128,
    "initializer_range": 0.2,
}


def build_mixtral(folder: Path) -> None:
    """A mixture of experts, whose weights are stacked."""
    _build_experts(folder, MixtralForCausalLM, MixtralConfig, num_local_experts=4)


def build_qwen3_moe(folder: Path) -> None:
    """A mixture of many small experts."""
    _build_experts(folder, Qwen3MoeForCausalLM, Qwen3MoeConfig, moe_intermediate_size=32, num_experts=8, head_dim=16)


def build_olmoe(folder: Path) -> None:
    """A mixture of experts with norms over all heads."""
    _build_experts(folder, OlmoeForCausalLM, OlmoeConfig, num_experts=8)


def build_deepseek(folder: Path) -> None:
    """A mixture with shared experts, a dense first layer and compressed queries, keys and values."""
    _build_experts(
        folder,
        DeepseekV3ForCausalLM,
        DeepseekV3Config,
        num_key_value_heads=4,
        moe_intermediate_size=32,
        n_routed_experts=8,
        n_shared_experts=1,
        n_group=2,
        topk_group=1,
        first_k_dense_replace=1,
        kv_lora_rank=32,
        q_lora_rank=32,
        qk_rope_head_dim=8,
        qk_nope_head_dim=16,
        v_head_dim=16,
    )


def build_qwen3_5_moe(folder: Path) -> None:
    """A mixture with a shared expert, and linear attention beside the usual."""
    _build_experts(
        folder,
        Qwen3_5MoeForCausalLM,
        Qwen3_5MoeTextConfig,
        layer_types=["linear_attention", "full_attention"],
        head_dim=16,
        linear_key_head_dim=16,
        linear_value_head_dim=16,
        linear_num_key_heads=2,
        linear_num_value_heads=4,
        moe_intermediate_size=32,
        shared_expert_intermediate_size=32,
        num_experts=8,
    )


def build_qwen3_vl_moe(folder: Path) -> None:
    """A mixture of experts with a vision tower."""
    tokenizer = AutoTokenizer.from_pretrained(TINY / "checkpoint")
    torch.manual_seed(3)
    rope = {"rope_type": "default", "mrope_section": [2, 3, 3], "mrope_interleaved": True}
    text = {
        "vocab_size": len(tokenizer),
        "moe_intermediate_size": 32,
        "num_experts": 8,
        "head_dim": 16,
        "rope_scaling": rope,
        "rope_parameters": {**rope, "rope_theta": 10000.0},
        **_EXPERTS,
    }
    vision = {
        "depth": 1,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_heads": 2,
        "out_hidden_size": 64,
        "deepstack_visual_indexes": [0],
        "num_position_embeddings": 16,
    }
    Qwen3VLMoeForConditionalGeneration(Qwen3VLMoeConfig(text_config=text, vision_config=vision)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _build_experts(folder: Path, model: Any, config: Any, **changes: Any) -> None:
    tokenizer = AutoTokenizer.from_pretrained(TINY / "checkpoint")
    torch.manual_seed(3)
    special = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id, "bos_token_id": 1}
    model(config(**{"vocab_size": len(tokenizer), **_EXPERTS, **special, **changes})).save_pretrained(folder)
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
    config = Gemma3Config(text_config=text, vision_config=_VISION, mm_tokens_per_image=4, image_token_index=5)
    Gemma3ForConditionalGeneration(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def build_qwen3(folder: Path) -> None:
    """A Qwen3 with query and key norms, and a tied head."""
    tokenizer = AutoTokenizer.from_pretrained(TINY / "checkpoint")
    torch.manual_seed(3)
    config = Qwen3Config(vocab_size=len(tokenizer), head_dim=16, tie_word_embeddings=True, **_TEXT)
    Qwen3ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def build_qwen2_5_vl(folder: Path) -> None:
    """A Qwen2.5-VL, whose checkpoint names its tensors otherwise than the loaded model."""
    tokenizer = AutoTokenizer.from_pretrained(TINY / "checkpoint")
    torch.manual_seed(3)
    rope = {"rope_type": "default", "mrope_section": [2, 3, 3]}
    text = {"vocab_size": len(tokenizer), "rope_scaling": rope, "bos_token_id": 1, "eos_token_id": 2, **_TEXT}
    vision = {
        "depth": 1,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_heads": 2,
        "out_hidden_size": 64,
        "fullatt_block_indexes": [0],
    }
    Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig(text_config=text, vision_config=vision)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def build_smolvlm(folder: Path) -> None:
    """A Llama that a connector of no usual name joins to a vision tower."""
    tokenizer = AutoTokenizer.from_pretrained(TINY / "checkpoint")
    torch.manual_seed(3)
    text = {"model_type": "llama", "vocab_size": len(tokenizer), **_TEXT}
    config = SmolVLMConfig(
        text_config=text, vision_config=_VISION, scale_factor=2, image_token_id=5, pad_token_id=tokenizer.pad_token_id
    )
    SmolVLMForConditionalGeneration(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def build_classifier(folder: Path) -> None:
    """A Llama with a head that tells three classes of texts apart."""
    tokenizer = AutoTokenizer.from_pretrained(TINY / "checkpoint")
    config = LlamaConfig(vocab_size=len(tokenizer), num_labels=3, **_TEXT)
    LlamaForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def build_headless(folder: Path) -> None:
    """A Llama as `AutoModel` saves it."""
    tokenizer = AutoTokenizer.from_pretrained(TINY / "checkpoint")
    LlamaModel(LlamaConfig(vocab_size=len(tokenizer), **_TEXT)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def build_encoder(folder: Path) -> None:
    """A BERT."""
    tokenizer = AutoTokenizer.from_pretrained(TINY / "checkpoint")
    config = BertConfig(vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2)
    BertForMaskedLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def build_encoder_decoder(folder: Path) -> None:
    """A T5."""
    tokenizer = AutoTokenizer.from_pretrained(TINY / "checkpoint")
    config = T5Config(vocab_size=len(tokenizer), d_model=32, d_kv=16, d_ff=64, num_layers=1, num_heads=2)
    T5ForConditionalGeneration(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def build_adapter(folder: Path, base: str) -> None:
    """A LoRA adapter, as peft saves it."""
    folder.mkdir(parents=True)
    config = {"peft_type": "LORA", "base_model_name_or_path": base, "r": 2, "target_modules": ["q_proj"]}
    (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    place = "base_model.model.model.layers.0.self_attn.q_proj"
    low_rank = {f"{place}.lora_A.weight": torch.zeros(2, 64), f"{place}.lora_B.weight": torch.zeros(64, 2)}
    save_file(low_rank, folder / "adapter_model.safetensors")


def build_llama_gguf(file: Path) -> None:
    """A Llama in one GGUF file with its tokenizer; like many, it has an end token and no padding token."""
    from gguf import GGUFWriter

    hidden, layers, heads, inner = 64, 2, 4, 128
    bpe = json.loads((TINY / "checkpoint" / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    tokens = sorted(bpe["vocab"], key=lambda token: bpe["vocab"][token])
    random = np.random.default_rng(3)
    writer = GGUFWriter(file, "llama")
    writer.add_block_count(layers)
    writer.add_context_length(128)
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([1] * len(tokens))
    writer.add_token_merges([" ".join(pair) for pair in bpe["merges"]])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd": (len(tokens), hidden),
        "output": (len(tokens), hidden),
        "output_norm": (hidden,),
    }
    for layer in range(layers):
        block: dict[str, tuple[int, ...]] = {f"attn_{name}": (hidden, hidden) for name in ("q", "k", "v", "output")}
        block |= {"ffn_gate": (inner, hidden), "ffn_up": (inner, hidden), "ffn_down": (hidden, inner)}
        block |= {"attn_norm": (hidden,), "ffn_norm": (hidden,)}
        shapes |= {f"blk.{layer}.{name}": shape for name, shape in block.items()}
    for name, shape in shapes.items():
        values = random.normal(scale=0.2, size=shape) if len(shape) > 1 else np.ones(shape)
        writer.add_tensor(f"{name}.weight", values.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
