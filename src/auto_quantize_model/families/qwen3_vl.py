"""The Qwen3-VL family: the language model and its head alone; the vision tower's weights never enter the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from auto_quantize_model.checkpoints.folder import require_safetensors
from auto_quantize_model.errors import InputError, one_line
from auto_quantize_model.families.loaded import LoadedModel
from auto_quantize_model.families.tokenizer import load_tokenizer

if TYPE_CHECKING:
    from auto_quantize_model.checkpoints.checkpoint import Checkpoint
    from auto_quantize_model.checkpoints.folder import SafetensorsFolder

LANGUAGE_MODEL = "model.language_model"
HEAD = "lm_head"


def load_qwen3_vl(checkpoint: Checkpoint, dtype: str) -> LoadedModel:
    """Load the language model of a Qwen3-VL checkpoint inside its full model, whose layer names it keeps."""
    folder = require_safetensors(checkpoint, "qwen3_vl")
    folder.require_loadable(("qwen3_vl",), "Qwen3-VL model")
    model = _empty_model(folder)
    weights = dict(folder.tensors((f"{LANGUAGE_MODEL}.", f"{HEAD}.")))
    _assign(folder, model, {name: tensor.to(getattr(torch, dtype)) for name, tensor in weights.items()})
    return LoadedModel(
        model=model,
        tokenizer=load_tokenizer(folder),
        language_model=LANGUAGE_MODEL,
        head=HEAD,
    )


def _empty_model(folder: SafetensorsFolder) -> Any:
    """The model without storage and without a vision tower, which text never reaches."""
    from transformers import AutoConfig, Qwen3VLForConditionalGeneration

    try:
        config = AutoConfig.from_pretrained(str(folder.path), local_files_only=True, trust_remote_code=False)
        with torch.device("meta"):
            model = Qwen3VLForConditionalGeneration(config)
    except Exception as error:  # noqa: BLE001  what transformers raises at a broken file is anybody's guess
        reason = one_line(error, 200)
        raise InputError(f"{folder.path / 'config.json'}: no Qwen3-VL model can be built: {reason}") from None
    model.model.visual = None
    text = model.model.language_model
    # Its buffers are computed, not stored, and came out empty on the meta device.
    text.rotary_emb = type(text.rotary_emb)(config.text_config)
    return model


def _assign(folder: SafetensorsFolder, model: Any, weights: dict[str, torch.Tensor]) -> None:
    embedding = f"{LANGUAGE_MODEL}.embed_tokens.weight"
    if f"{HEAD}.weight" not in weights and _tied(model.config) and embedding in weights:
        weights[f"{HEAD}.weight"] = weights[embedding]
    try:
        missing, unexpected = model.load_state_dict(weights, strict=False, assign=True)
    except RuntimeError as error:
        raise InputError(f"{folder.path}: the weights do not fit config.json: {one_line(error, 300)}") from None
    if missing:
        raise InputError(
            f"{folder.path}: half a checkpoint: {len(missing)} tensors are missing, '{missing[0]}' first; {folder.mend}"
        )
    if unexpected:
        raise InputError(f"{folder.path}: the tensor '{unexpected[0]}' has no place in the model of config.json")
    if _tied(model.config):
        model.lm_head.weight = model.model.language_model.embed_tokens.weight


def _tied(config: Any) -> bool:
    return bool(config.tie_word_embeddings or getattr(config.text_config, "tie_word_embeddings", False))
