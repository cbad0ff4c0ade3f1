"""Padding, the positions that a loss counts, and the loss itself, on a few made-up tokens."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tests.places import SUITE

from auto_quantize_model import load_suite
from auto_quantize_model.engine.capture.batches import TokenBatch, causal_loss, tokenize
from auto_quantize_model.plan import BatchRange, plan_passes

PAD = 9
CAPTIONS = ("one two three four", "one two", "one two three")


class CountingTokenizer:
    """A caption's tokens are 1, 2, 3 and so on, one a word."""

    pad_token_id = PAD

    def __call__(self, caption: str, **_: Any) -> dict[str, list[int]]:
        return {"input_ids": list(range(1, len(caption.split()) + 1))}


def batch_padded_on(side: str) -> TokenBatch:
    overrides = ["suite.models=[qwen3_vl_tiny]", f"dataset.padding_side={side}"]
    (plan,) = plan_passes(load_suite(SUITE, overrides=overrides).select("wint8_afp16 and small"))
    plan = dataclasses.replace(plan, captions=CAPTIONS, batches=(BatchRange(0, 3),))
    loaded: Any = SimpleNamespace(
        tokenizer=CountingTokenizer(), vocabulary=10, positions=None, device=torch.device("cpu")
    )
    (batch,) = tokenize(plan, loaded)
    return batch


@pytest.mark.parametrize(
    ("side", "ids", "counted"),
    [
        (
            "left",
            [[1, 2, 3, 4], [PAD, PAD, 1, 2], [PAD, 1, 2, 3]],
            [[1, 1, 1, 0], [0, 0, 1, 0], [0, 1, 1, 0]],
        ),
        (
            "right",
            [[1, 2, 3, 4], [1, 2, PAD, PAD], [1, 2, 3, PAD]],
            [[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 0, 0]],
        ),
    ],
)
def test_captions_are_padded_on_the_side_that_is_set(side: str, ids: list[list[int]], counted: list[list[int]]) -> None:
    batch = batch_padded_on(side)
    assert batch.input_ids.tolist() == ids
    assert batch.attention_mask.tolist() == [[int(token != PAD) for token in row] for row in ids]
    assert batch.counted.int().tolist() == counted
    assert (batch.tokens, batch.loss_tokens, batch.sample_tokens.tolist()) == (9, 6, [3, 1, 2])


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_the_loss_is_the_mean_over_next_tokens_in_float32(dtype: torch.dtype, side: str) -> None:
    """Against double precision, token by token: bfloat16 would be 1e-3 off."""
    batch = batch_padded_on(side)
    logits = torch.randn(3, 4, 10, generator=torch.Generator().manual_seed(1)).to(dtype)
    surprises = []
    for row in range(3):
        for position in range(3):
            token, following = batch.input_ids[row, position : position + 2].tolist()
            if PAD not in (token, following):
                exact = logits[row, position].double()
                surprises.append(float(exact.exp().sum().log() - exact[following]))
    loss = causal_loss(logits, batch)
    assert loss.dtype == torch.float32
    assert len(surprises) == 6
    assert float(loss) == pytest.approx(sum(surprises) / 6, rel=1e-6)
