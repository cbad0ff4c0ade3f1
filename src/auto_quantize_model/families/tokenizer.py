"""Loading a checkpoint's own tokenizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auto_quantize_model.errors import InputError, one_line
from auto_quantize_model.interrupts import interrupts_prevail

if TYPE_CHECKING:
    from auto_quantize_model.checkpoints.checkpoint import Checkpoint


def load_tokenizer(checkpoint: Checkpoint) -> Any:
    """Load the tokenizer that comes with the weights; nothing is downloaded, no foreign code runs."""
    from transformers import AutoTokenizer

    checkpoint.require_tokenizer()
    place, arguments = checkpoint.source
    try:
        with interrupts_prevail():
            tokenizer = AutoTokenizer.from_pretrained(
                place, **arguments, local_files_only=True, trust_remote_code=False
            )
    except Exception as error:  # noqa: BLE001  transformers may raise anything at a broken file
        raise InputError(f"{checkpoint.path}: the tokenizer cannot be loaded: {_reason(error)}") from None
    for name, token in checkpoint.special_tokens().items():
        setattr(tokenizer, name, tokenizer.convert_ids_to_tokens(token))
    if tokenizer.pad_token_id is None and tokenizer.eos_token_id is None:
        raise InputError(f"{checkpoint.path}: the tokenizer has neither a pad token nor an end token to pad with")
    return tokenizer


def _reason(error: Exception) -> str:
    # The way out that transformers offers is an argument that is never given here.
    if "trust_remote_code" in str(error):
        return (
            "it needs code that comes with it, which is never run; "
            "save it as a tokenizer.json, and take auto_map out of tokenizer_config.json"
        )
    return one_line(error, 200)
