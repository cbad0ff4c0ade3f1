"""From captions to padded token batches, and which positions of them the loss counts."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import torch

from auto_quantize_model.engine.capture.chat import rendered
from auto_quantize_model.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from auto_quantize_model.captions.samples import Sample
    from auto_quantize_model.cases.settings import DatasetSettings
    from auto_quantize_model.families.loaded import LoadedModel
    from auto_quantize_model.plan import BatchRange, PassPlan


@dataclasses.dataclass(frozen=True, slots=True)
class TokenBatch:
    """One batch of tokens, padded to its own longest caption."""

    input_ids: Tensor
    attention_mask: Tensor
    counted: Tensor
    """True where a token and its next token are both real: the positions that the loss is a mean over."""

    @property
    def inputs(self) -> dict[str, Tensor]:
        """What the model is called with."""
        return {"input_ids": self.input_ids, "attention_mask": self.attention_mask}

    @property
    def tokens(self) -> int:
        """How many tokens are real."""
        return int(self.attention_mask.sum())

    @property
    def loss_tokens(self) -> int:
        """How many positions the loss is a mean over."""
        return int(self.counted.sum())

    @property
    def sample_tokens(self) -> NDArray[np.int64]:
        """How many of those positions each caption has."""
        return self.counted.sum(dim=1).cpu().numpy()


def tokenize(plan: PassPlan, loaded: LoadedModel) -> list[TokenBatch]:
    """Make every batch of a pass: its captions, truncated, padded within their batch."""
    dataset, tokenizer = plan.cases[0].dataset, loaded.tokenizer
    tokens = [_tokens(caption, plan, loaded) for caption in plan.captions]
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    largest = max((token for row in tokens for token in row), default=0)
    if max(largest, pad) >= loaded.vocabulary:
        raise InputError(
            f"model '{plan.cases[0].model.name}': the tokenizer gives token {max(largest, pad)}, but the model has "
            f"{loaded.vocabulary} tokens; put the tokenizer that belongs to the checkpoint beside it"
        )
    longest = max((len(row) for row in tokens), default=0)
    if loaded.positions is not None and longest > loaded.positions:
        raise InputError(
            f"model '{plan.cases[0].model.name}': a caption has {longest} tokens, but the model is made for "
            f"{loaded.positions} at most; set dataset.seq_len to {loaded.positions} or less"
        )
    return [_batch(tokens, each, int(pad), dataset, loaded.device) for each in plan.batches]


def together(batches: Sequence[TokenBatch]) -> TokenBatch:
    """Batches of one padded length as one."""
    if len(batches) == 1:
        return batches[0]
    parts = zip(*((each.input_ids, each.attention_mask, each.counted) for each in batches), strict=True)
    return TokenBatch(*(torch.cat(of_all) for of_all in parts))


def on_cpu(batch: TokenBatch) -> TokenBatch:
    """The same where any process can have it."""
    return TokenBatch(batch.input_ids.cpu(), batch.attention_mask.cpu(), batch.counted.cpu())


def counted_logits(logits: Tensor, batch: TokenBatch) -> Tensor:
    """The logits of the positions that the loss counts, a row each."""
    return logits[:, :-1][batch.counted[:, :-1]]


def causal_loss(logits: Tensor, batch: TokenBatch) -> Tensor:
    """Cross-entropy with float32 logits, the mean over the batch's counted positions."""
    return counted_loss(counted_logits(logits, batch), batch)


def counted_loss(logits: Tensor, batch: TokenBatch) -> Tensor:
    """The same from the logits of those positions alone."""
    targets = batch.input_ids[:, 1:][batch.counted[:, :-1]]
    return torch.nn.functional.cross_entropy(logits.float(), targets)


def _tokens(caption: Sample, plan: PassPlan, loaded: LoadedModel) -> list[int]:
    case = plan.cases[0]
    plain = isinstance(caption, str)
    text = caption if isinstance(caption, str) else rendered(caption, loaded.tokenizer, case.model.name)
    # A chat template has put the special tokens in already.
    return list(
        loaded.tokenizer(text, truncation=True, max_length=case.dataset.seq_len, add_special_tokens=plain)["input_ids"]
    )


def _batch(
    tokens: list[list[int]], captions: BatchRange, pad: int, dataset: DatasetSettings, device: torch.device
) -> TokenBatch:
    rows = tokens[captions.start : captions.stop]
    width = max(len(row) for row in rows)
    ids = torch.full((len(rows), width), pad, dtype=torch.long)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for index, row in enumerate(rows):
        start = width - len(row) if dataset.padding_side == "left" else 0
        ids[index, start : start + len(row)] = torch.tensor(row, dtype=torch.long)
        mask[index, start : start + len(row)] = 1
    counted = torch.zeros_like(mask, dtype=torch.bool)
    counted[:, :-1] = mask[:, :-1].bool() & mask[:, 1:].bool()
    if not bool(counted.any()):
        raise InputError(
            f"dataset '{dataset.name}': captions {captions.start + 1} to {captions.stop} have at most one token each, "
            "so there is no next token to predict; use longer captions"
        )
    return TokenBatch(ids.to(device), mask.to(device), counted.to(device))
