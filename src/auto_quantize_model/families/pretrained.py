"""Loading a whole model with one of transformers' automatic classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from auto_quantize_model.errors import InputError, one_line
from auto_quantize_model.interrupts import interrupts_prevail

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auto_quantize_model.checkpoints.checkpoint import Checkpoint


def load_pretrained(auto_class: Any, checkpoint: Checkpoint, dtype: str) -> Any:
    """Load a model into memory; the checkpoint must have exactly the model's tensors."""
    place, arguments = checkpoint.source
    try:
        with interrupts_prevail():
            model, report = auto_class.from_pretrained(
                place,
                **arguments,
                dtype=getattr(torch, dtype),
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
    except Exception as error:  # noqa: BLE001  transformers may raise anything at a broken file
        raise InputError(f"{checkpoint.path}: the model cannot be loaded: {one_line(error, 200)}") from None
    _check_report(checkpoint, model, report)
    return model


def path_of(model: Any, wanted: Any) -> str | None:
    """The dotted path of a module inside a model; None where it is not inside."""
    return next((name for name, module in model.named_modules() if module is wanted), None)


def checkpoint_names(model: Any, checkpoint: Checkpoint) -> dict[str, str]:
    """Of the modules that the checkpoint's files call otherwise, the name there.

    Transformers renames the tensors of many models of images and text as it loads them, by rules that it leaves with
    the model. What runtimes read speaks of the files' own names.
    """
    renamings = [each for each in getattr(model, "_weight_conversions", None) or () if not hasattr(each, "operations")]
    modules = {name for name, _ in model.named_modules()}
    result = {}
    for tensor in checkpoint.tensor_names:
        name, _, leaf = _renamed(tensor, renamings).rpartition(".")
        stored, _, stored_leaf = tensor.rpartition(".")
        # A checkpoint that was saved without its head may lack the prefix of the base model.
        name = next((each for each in (name, f"{model.base_model_prefix}.{name}") if each in modules), stored)
        if leaf == stored_leaf and name != stored:
            result[name] = stored
    return result


def _renamed(tensor: str, renamings: Iterable[Any]) -> str:
    for each in renamings:
        tensor, _ = each.rename_source_key(tensor)
    return tensor


def _check_report(checkpoint: Checkpoint, model: Any, report: dict[str, Any]) -> None:
    missing = sorted(report.get("missing_keys") or ())
    head = path_of(model, model.get_output_embeddings())
    if missing == [f"{head}.weight"]:
        raise InputError(
            f"{checkpoint.path}: has no output head ('{missing[0]}'), as a model has that was saved without it; "
            f"use the checkpoint of the whole {type(model).__name__}, or {checkpoint.fix}"
        )
    if missing:
        raise InputError(
            f"{checkpoint.path}: half a checkpoint: {len(missing)} tensors are missing, "
            f"'{missing[0]}' first; {checkpoint.fix}"
        )
    if report.get("mismatched_keys"):
        name, shape, wanted = min(report["mismatched_keys"])
        raise InputError(
            f"{checkpoint.path}: the tensor '{name}' has shape {tuple(shape)}, but config.json wants {tuple(wanted)}"
        )
    # Old checkpoints hold what rotary embeddings compute for themselves; transformers knows that of most models.
    unexpected = [name for name in sorted(report.get("unexpected_keys") or ()) if not name.endswith(".inv_freq")]
    if unexpected:
        raise InputError(
            f"{checkpoint.path}: {len(unexpected)} tensors have no place in the model that its configuration "
            f"describes, '{unexpected[0]}' first; {checkpoint.fix}, or correct the configuration"
        )
