"""A loaded model, as the engines see it."""

from __future__ import annotations

import dataclasses
import fnmatch
from typing import TYPE_CHECKING, Any

import torch

from auto_quantize_model.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from auto_quantize_model.checkpoints.checkpoint import Checkpoint

DISABLED_LAYERS = (
    "*lm_head*",
    "*visual*",
    "*vision_tower*",
    "*vision_model*",
    "*multi_modal_projector*",
    "*embed_vision*",
)
"""Never quantized in language-model scope; ModelOpt ignores the rules of its presets here, so they are passed."""


@dataclasses.dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model with a language model inside, its tokenizer, and where things are in it."""

    model: Any
    tokenizer: Any
    language_model: str
    """The dotted path of the language model inside `model`; empty where it is the whole."""
    head: str
    """The dotted path of the output head."""
    checkpoint_names: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Of the modules that the checkpoint's files call otherwise, the name there."""

    @property
    def device(self) -> torch.device:
        """The device that inputs go to."""
        weight: Tensor = self.model.get_input_embeddings().weight
        return weight.device

    @property
    def dtype(self) -> torch.dtype:
        """The number format that the model computes in."""
        weight: Tensor = self.model.get_input_embeddings().weight
        return weight.dtype

    @property
    def vocabulary(self) -> int:
        """How many tokens the model knows."""
        return len(self.model.get_input_embeddings().weight)

    @property
    def positions(self) -> int | None:
        """How many tokens the model is made for at most; None where it does not say."""
        limit = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        return limit if isinstance(limit, int) and limit > 0 else None

    def in_scope(self, name: str) -> bool:
        """Whether a module belongs to the language model, and not to its head."""
        if self.language_model and not name.startswith(f"{self.language_model}."):
            return False
        return not any(fnmatch.fnmatch(name, pattern) for pattern in (*DISABLED_LAYERS, self.head))

    def disabled_layers(self) -> list[str]:
        """Patterns of the layers that ModelOpt must leave alone: all that are not in scope."""
        outside = [
            name
            for name, module in self.model.named_modules()
            if not self.in_scope(name) and any(each.dim() > 1 for each in module.parameters(recurse=False))
        ]
        return list(dict.fromkeys([*DISABLED_LAYERS, self.head, *outside]))

    def freeze(self) -> None:
        """Prepare for scoring: no dropout, no parameter gradients."""
        self.model.eval()
        self.model.requires_grad_(False)

    @torch.inference_mode()
    def check_finite(self, checkpoint: Checkpoint) -> None:
        """Refuse weights that are not numbers: every score would be meaningless."""
        for name, parameter in self.model.named_parameters():
            # One number that is none, or infinite, makes the sum so; it takes one pass and no copy.
            if not bool(torch.isfinite(parameter.sum())) and not bool(torch.isfinite(parameter).all()):
                count = int((~torch.isfinite(parameter)).sum())
                raise InputError(
                    f"{checkpoint.path}: the tensor '{name}' has {count} NaN or infinite values; "
                    f"correct them, or {checkpoint.fix}"
                )
