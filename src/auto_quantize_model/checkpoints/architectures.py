"""Which model a `config.json` describes, and whether it is one whose next tokens can be scored.

transformers itself would load some of the others, or fail at them with a tensor that is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auto_quantize_model.errors import InputError, nearest

if TYPE_CHECKING:
    from collections.abc import Container, Mapping
    from pathlib import Path

_OTHER_HEADS = {
    "ForMaskedLM": "fills gaps in a text that it sees as a whole",
    "ForMultipleChoice": "is a classifier",
    "ForQuestionAnswering": "marks answers in a text",
    "ForRewardModel": "rates texts",
    "ForSequenceClassification": "is a classifier",
    "ForTokenClassification": "is a classifier",
}
"""How the name of a class ends that predicts something other than the next token, and what such a class does."""


def require_architecture(config: Mapping[str, Any], stated_in: Path, fix: str) -> str:
    """The `model_type`; one that the installed transformers does not have is refused."""
    import transformers
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    model_type = config.get("model_type")
    if not model_type:
        raise InputError(f"{stated_in}: has no 'model_type', so nothing tells which architecture this is; {fix}")
    if model_type in CONFIG_MAPPING:
        return str(model_type)
    installed, written_by = transformers.__version__, config.get("transformers_version")
    if config.get("auto_map"):
        raise InputError(
            f"{stated_in}: model_type '{model_type}' needs code that comes with the checkpoint (auto_map), which is "
            f"never run; use a checkpoint whose architecture the installed transformers {installed} has itself"
        )
    if written_by in (None, installed):
        reason = nearest(str(model_type), CONFIG_MAPPING)
    else:
        reason = f"the checkpoint was written by transformers {written_by}: install a version that has it"
    raise InputError(
        f"{stated_in}: model_type '{model_type}' is unknown to the installed transformers {installed}; {reason}"
    )


def require_next_token_prediction(config: Mapping[str, Any], stated_in: Path) -> None:
    """Refuse a model that does not predict the next token of a text from those before it alone."""
    stated = config.get("architectures")
    architectures = [str(architecture) for architecture in stated] if isinstance(stated, list) else []
    name = architectures[0] if architectures else str(config.get("model_type"))
    if config.get("is_encoder_decoder") is True:
        raise InputError(
            f"{stated_in}: {name} is an encoder-decoder, and sensitivity is scored on causal language models; "
            "use a decoder-only model"
        )
    heads = [head for head in _OTHER_HEADS if name.endswith(head)]
    if heads:
        raise InputError(
            f"{stated_in}: {name} {_OTHER_HEADS[heads[0]]}, and sensitivity is scored on the prediction of the next "
            "token; use the causal language model that it was made from"
        )


def require_unquantized(config: Mapping[str, Any], stated_in: Path) -> None:
    """Refuse weights that are quantized already: whether transformers dequantizes them depends on the device."""
    quantization = config.get("quantization_config")
    if quantization:
        method = quantization.get("quant_method") if isinstance(quantization, dict) else None
        raise InputError(
            f"{stated_in}: the weights are quantized already{f' ({method})' if method else ''}, and sensitivity is "
            "scored on unquantized ones; use the checkpoint that they were quantized from"
        )


def require_kind(model_type: str, kinds: Container[str], kind: str, stated_in: Path) -> None:
    """Refuse an architecture that is not of a kind, and name the family that loads it."""
    if model_type not in kinds:
        family = family_of(model_type)
        fix = f"set `family: {family}` in model.yaml" if family else "no family loads it: use a causal language model"
        raise InputError(f"{stated_in}: model_type '{model_type}' is no {kind}; {fix}")


def family_of(model_type: str) -> str | None:
    """The family that loads an architecture; None where none does."""
    from transformers.models.auto import modeling_auto

    if model_type == "qwen3_vl":
        return "qwen3_vl"
    if model_type in modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES:
        return "vlm"
    return "causal_lm" if model_type in modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES else None
