"""The family of everything that `AutoModelForCausalLM` loads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auto_quantize_model.families.loaded import LoadedModel
from auto_quantize_model.families.pretrained import checkpoint_names, load_pretrained, path_of
from auto_quantize_model.families.tokenizer import load_tokenizer

if TYPE_CHECKING:
    from auto_quantize_model.checkpoints.checkpoint import Checkpoint


def load_causal_lm(checkpoint: Checkpoint, dtype: str) -> LoadedModel:
    """Load a causal language model from safetensors, or from a GGUF file."""
    from transformers import AutoModelForCausalLM
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    checkpoint.require_loadable(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, "causal language model")
    model = load_pretrained(AutoModelForCausalLM, checkpoint, dtype)
    return LoadedModel(
        model=model,
        tokenizer=load_tokenizer(checkpoint),
        language_model="",
        head=path_of(model, model.get_output_embeddings()) or "lm_head",
        checkpoint_names=checkpoint_names(model, checkpoint),
    )
