"""The probes' gradients: their mean outer product, and what their signs depend on."""

from __future__ import annotations

import pytest
import torch

from auto_quantize_model.engine.capture.batches import TokenBatch
from auto_quantize_model.engine.capture.probes import probe_gradients

VOCABULARY = 5
CAPTIONS = ([3, 1, 4, 1], [2, 0])


def batch_of(captions: list[list[int]], *, left: bool = True, width: int | None = None, pad: int = 0) -> TokenBatch:
    longest = width or max(map(len, captions))
    ids = torch.full((len(captions), longest), pad)
    mask = torch.zeros_like(ids)
    for row, caption in enumerate(captions):
        place = slice(longest - len(caption), None) if left else slice(len(caption))
        ids[row, place], mask[row, place] = torch.tensor(caption), 1
    counted = torch.zeros_like(mask, dtype=torch.bool)
    counted[:, :-1] = (mask[:, :-1] * mask[:, 1:]).bool()
    return TokenBatch(ids, mask, counted)


def signs_of(batch: TokenBatch, vocabulary: int = 1000, probes: int = 2) -> torch.Tensor:
    """The signs, by probe, counted position and vocabulary entry: where all entries are as likely, the gradients'."""
    logits = torch.zeros(batch.loss_tokens, vocabulary)
    return torch.stack([each.sign() for each in probe_gradients(logits, batch, probes)])


def test_the_mean_outer_product_is_the_fisher_matrix_of_the_softmax() -> None:
    logits = torch.tensor([1.0, 0.0, -1.0, 0.5, 2.0])
    chances = logits.double().softmax(dim=0)
    captions = [[first, second, third] for first in range(40) for second in range(40) for third in range(4)]
    batch = batch_of(captions)
    gradients = torch.cat(list(probe_gradients(logits.expand(batch.loss_tokens, -1), batch, 32))).double()
    found = gradients.T @ gradients / len(gradients)
    assert len(gradients) == 2 * 32 * 6400
    assert found.numpy() == pytest.approx((chances.diag() - chances.outer(chances)).numpy(), abs=2e-3)


def test_signs_are_independent_between_positions_probes_and_entries() -> None:
    signs = signs_of(batch_of([[first, 7, 7, 7] for first in range(50)]), probes=4)
    assert signs.mean().abs() < 0.01
    by_position = signs.transpose(0, 1).flatten(1)
    by_probe = signs.flatten(1)
    by_entry = signs[..., :200].permute(2, 0, 1).flatten(1)
    for rows in (by_position, by_probe, by_entry):
        products = rows @ rows.T / rows.shape[1]
        others = products - products.diag().diag()
        # Five standard errors of the mean of as many products of independent signs.
        assert others.abs().max() < 5 / rows.shape[1] ** 0.5


@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("width", [4, 9])
@pytest.mark.parametrize("pad", [0, 3])
def test_signs_are_those_of_the_caption_wherever_it_is(left: bool, width: int, pad: int) -> None:
    first, second = (signs_of(batch_of([each])) for each in CAPTIONS)
    together = signs_of(batch_of([*reversed(CAPTIONS)], left=left, width=width, pad=pad))
    assert torch.equal(together, torch.cat([second, first], dim=1))


def test_another_caption_has_other_signs_at_its_first_position_too() -> None:
    one, other = (signs_of(batch_of([[5, 6, last]]))[:, 0] for last in (7, 8))
    assert 0.4 < (one == other).float().mean() < 0.6


def test_more_probes_leave_the_first_as_they_are() -> None:
    batch = batch_of([*CAPTIONS])
    assert torch.equal(signs_of(batch, probes=5)[:2], signs_of(batch, probes=2))
    assert signs_of(batch, probes=32).unique().tolist() == [-1, 1]
