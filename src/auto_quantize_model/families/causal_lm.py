"""The family of everything that `AutoModelForCausalLM` loads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from auto_quantize_model.errors import InputError
from auto_quantize_model.families.loaded import LoadedModel
from auto_quantize_model.families.tokenizer import load_tokenizer

if TYPE_CHECKING:
    from auto_quantize_model.families.checkpoint import Checkpoint


def load_causal_lm(checkpoint: Checkpoint, device: torch.device, dtype: str) -> LoadedModel:
    """Load a causal language model from safetensors."""
    from transformers import AutoModelForCausalLM
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    checkpoint.require_known_to_transformers()
    if checkpoint.model_type not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise InputError(
            f"{checkpoint.folder / 'config.json'}: model_type '{checkpoint.model_type}' is no causal language model; "
            "set `family` in model.yaml to match the checkpoint"
        )
    try:
        model, report = AutoModelForCausalLM.from_pretrained(
            str(checkpoint.folder),
            dtype=getattr(torch, dtype),
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    except Exception as error:  # noqa: BLE001  what transformers raises at a broken file is anybody's guess
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{checkpoint.folder}: the model cannot be loaded: {reason}") from None
    _check_report(checkpoint, report)
    return LoadedModel(
        model=model.to(device), tokenizer=load_tokenizer(checkpoint), language_model="", head=_head_name(model)
    )


def _check_report(checkpoint: Checkpoint, report: dict[str, Any]) -> None:
    missing = sorted(report.get("missing_keys") or ())
    if missing:
        raise InputError(
            f"{checkpoint.folder}: half a checkpoint: {len(missing)} tensors are missing, "
            f"'{missing[0]}' first; download the checkpoint again"
        )
    if report.get("mismatched_keys"):
        name, found, expected = min(report["mismatched_keys"])
        raise InputError(
            f"{checkpoint.folder}: the tensor '{name}' has shape {tuple(found)}, "
            f"but config.json wants {tuple(expected)}"
        )


def _head_name(model: Any) -> str:
    head = model.get_output_embeddings()
    return next((name for name, module in model.named_modules() if module is head), "lm_head")
