"""Captions of a file of their own to measure on: those that calibrate and score cannot be fitted to them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from auto_quantize_model.captions.samples import captions_sha256
from auto_quantize_model.engine.capture.batches import tokenize
from auto_quantize_model.engine.measurement.captions import caption_tokens
from auto_quantize_model.plan import batch_ranges
from auto_quantize_model.scores import MeasuredOn

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    from auto_quantize_model.captions.samples import Sample
    from auto_quantize_model.families.loaded import LoadedModel
    from auto_quantize_model.plan import PassPlan


@dataclasses.dataclass(frozen=True, slots=True)
class HeldOut:
    """The captions of a file."""

    tokens: list[Tensor]
    on: MeasuredOn

    @classmethod
    def read(cls, loaded: LoadedModel, plan: PassPlan, file: Path | None) -> HeldOut | None:
        """Every caption of a file, read and tokenized as a pass's own are; None where there is no file."""
        if file is None:
            return None
        captions = plan.cases[0].captions.of_file(file).read()
        tokens = tokens_of(captions, plan, loaded)
        return cls(tokens, MeasuredOn(file.name, len(captions), captions_sha256(captions)))


def tokens_of(captions: Sequence[Sample], plan: PassPlan, loaded: LoadedModel) -> list[Tensor]:
    """Other captions than those of a pass, tokenized as its own are."""
    ranges = batch_ranges(len(captions), plan.cases[0].autoquant.batch_size)
    return caption_tokens(tokenize(dataclasses.replace(plan, captions=tuple(captions), batches=ranges), loaded))
