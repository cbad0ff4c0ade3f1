"""Loading a checkpoint's own tokenizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auto_quantize_model.errors import InputError

if TYPE_CHECKING:
    from auto_quantize_model.families.checkpoint import Checkpoint

_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "tekken.json")


def load_tokenizer(checkpoint: Checkpoint) -> Any:
    """Load the tokenizer that lies beside the weights; nothing is downloaded, no foreign code runs."""
    from transformers import AutoTokenizer

    if not any((checkpoint.folder / name).is_file() for name in _FILES):
        # transformers makes an empty tokenizer of nothing, which turns every caption into no tokens.
        raise InputError(
            f"{checkpoint.folder}: no tokenizer files ({_FILES[0]} or another); download the checkpoint again"
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            str(checkpoint.folder), local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # noqa: BLE001  what transformers raises at a broken file is anybody's guess
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{checkpoint.folder}: the tokenizer cannot be loaded: {reason}") from None
    if tokenizer.pad_token_id is None and tokenizer.eos_token_id is None:
        raise InputError(f"{checkpoint.folder}: the tokenizer has neither a pad token nor an end token to pad with")
    return tokenizer
