"""The family of everything with a language model inside that `AutoModelForImageTextToText` loads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auto_quantize_model.checkpoints.folder import require_safetensors
from auto_quantize_model.errors import InputError
from auto_quantize_model.families.loaded import LoadedModel
from auto_quantize_model.families.pretrained import checkpoint_names, load_pretrained, path_of
from auto_quantize_model.families.tokenizer import load_tokenizer

if TYPE_CHECKING:
    from auto_quantize_model.checkpoints.checkpoint import Checkpoint
    from auto_quantize_model.checkpoints.folder import SafetensorsFolder


def load_vlm(checkpoint: Checkpoint, dtype: str) -> LoadedModel:
    """Load a model of images and text."""
    from transformers import AutoModelForImageTextToText
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

    folder = require_safetensors(checkpoint, "vlm")
    folder.require_loadable(MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES, "model of images and text")
    model = load_pretrained(AutoModelForImageTextToText, folder, dtype)
    decoder, head = _language_model(folder, model)
    return LoadedModel(
        model=model,
        tokenizer=load_tokenizer(folder),
        language_model=decoder,
        head=head,
        checkpoint_names=checkpoint_names(model, folder),
    )


def _language_model(folder: SafetensorsFolder, model: Any) -> tuple[str, str]:
    """The paths of the language model inside, and of its head, as transformers itself finds them."""
    decoder, head = path_of(model, model.get_decoder()), path_of(model, model.get_output_embeddings())
    # Where transformers finds no language model inside, it gives the model itself or all of it but the head.
    if not decoder or model.get_decoder() is model.base_model or not head:
        raise InputError(
            f"{folder.path / 'config.json'}: the family vlm finds no language model with a head inside "
            f"{type(model).__name__}; set `family` in model.yaml to causal_lm if it is one as a whole"
        )
    return decoder, head
