"""Replay of one weight and a handful of rows, whose scores are counted by hand."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from tests.places import SUITE

from auto_quantize_model import load_suite
from auto_quantize_model.engine.capture.batches import TokenBatch
from auto_quantize_model.engine.capture.captured import Captured, Placement
from auto_quantize_model.engine.capture.groups import Layout
from auto_quantize_model.engine.capture.recording import CapturedBatch
from auto_quantize_model.engine.predictions import with_predictions
from auto_quantize_model.engine.replay.replay import replay
from auto_quantize_model.engine.replay.rows import describe_rows
from auto_quantize_model.engine.replay.variants import input_variants
from auto_quantize_model.plan import format_key, plan_passes, size_key
from auto_quantize_model.precision.quantizers import FormatQuantizers
from auto_quantize_model.scores import Group

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from auto_quantize_model.plan import PassPlan
    from auto_quantize_model.scores import GroupScore

LOSS_TOKENS = ((2, 1), (1, 3), (1,))
"""How many positions the loss counts of each caption, batch by batch."""
ROWS = sum(map(sum, LOSS_TOKENS))
ONES = [1.0] * ROWS
PROBES = ([1.0, -1.0, 1.0, 1.0, 1.0, -1.0, -1.0, 1.0], [2.0] * ROWS)
"""The gradients of two probes, row by row."""


class OneMore(FormatQuantizers):
    """Quantizing adds one to a weight, so a row's difference is its input."""

    def quantize_weight(self, weight: Tensor) -> Tensor:
        return weight + 1


def plan_of(*overrides: str) -> PassPlan:
    suite = load_suite(
        SUITE,
        overrides=[
            "suite.models=[qwen3_vl_tiny]",
            "autoquant.batch_size=2",
            "dataset.size_to_max_samples={small: 5, medium: 5, large: 5}",
            *overrides,
        ],
    )
    (plan,) = plan_passes(suite.select("wint8_afp16 and small"))
    return plan


def scored_by_hand(
    inputs: Sequence[float], gradients: Sequence[float], chunk_elements: int | None = None, *overrides: str
) -> GroupScore:
    plan = plan_of(*overrides)
    batches = [token_batch(counts) for counts in LOSS_TOKENS]
    group = Group(("layer",), ("Linear",), 1)
    captured = Captured(Layout((group,), Group(("head",), ("Linear",), 1)), plan.scored, Placement())
    start = 0
    for index, batch in enumerate(batches):
        rows = slice(start, start + batch.loss_tokens)
        seen, gradient = (torch.tensor(each[rows])[:, None] for each in (inputs, gradients))
        of_kinds = [gradient, *(torch.tensor(each[rows])[:, None] for each in PROBES)]
        recorded = CapturedBatch(seen.abs().amax()[None], torch.zeros(()), {"layer": seen}, {"layer": of_kinds})
        captured._keep({index: recorded})
        start = rows.stop
    model: Any = torch.nn.ModuleDict({"layer": torch.nn.Linear(1, 1, bias=False)})
    torch.nn.init.zeros_(model["layer"].weight)
    loaded: Any = SimpleNamespace(model=model)
    key = format_key(plan.cases[0])
    quantizers = OneMore(None, None, "one more", None, calibrated=True)
    found = replay(
        captured,
        loaded,
        plan,
        describe_rows(plan, batches, plan.scored),
        {key: quantizers},
        chunk_elements=chunk_elements,
    )
    (score,) = found[key, size_key(plan.cases[0])]
    return score


def token_batch(counts: Sequence[int]) -> TokenBatch:
    counted = torch.arange(max(counts) + 1) < torch.tensor(counts)[:, None]
    return TokenBatch(torch.zeros_like(counted).long(), torch.ones_like(counted).long(), counted)


def test_each_caption_has_the_squares_of_its_own_rows() -> None:
    """Captions are numbered through all batches, or errors and bands would be those of two captions."""
    found = scored_by_hand([1, 2, 3, 4, 5, 6, 7, 8], ONES)
    assert found.sample_scores is not None
    assert found.sample_scores.tolist() == pytest.approx([1 + 4, 9, 16, 25 + 36 + 49, 64])
    assert found.score == pytest.approx(204)
    assert found.status == "scored"


def test_what_a_probe_sees_of_a_caption_is_kept_added_up_and_squared_row_by_row() -> None:
    """Products are added up over a caption's rows, with their signs; the squares of rows are averaged over probes."""
    found = scored_by_hand([1, 2, 3, 4, 5, 6, 7, 8], ONES)
    assert found.signed is not None
    assert found.row_kl is not None
    assert found.signed.tolist() == [[1 - 2, 3, 4, 5 - 6 - 7, 8], [6, 6, 8, 36, 16]]
    ones, twos = [1 + 4, 9, 16, 25 + 36 + 49, 64], [4 + 16, 36, 64, 100 + 144 + 196, 256]
    assert found.row_kl.tolist() == pytest.approx([(one + two) / 4 for one, two in zip(ones, twos, strict=True)])
    assert found.predicted_kl is None


def test_the_only_group_is_predicted_from_whole_captions() -> None:
    """There are no others to have anything in common with; 8 tokens are scored."""
    (found,) = with_predictions([scored_by_hand([1, 2, 3, 4, 5, 6, 7, 8], ONES)], 8)
    squares = [(1 + 36) / 2, (9 + 36) / 2, (16 + 64) / 2, (64 + 1296) / 2, (64 + 256) / 2]
    assert found.sample_kl is not None
    assert found.sample_kl.tolist() == pytest.approx([0.5 * each / 8 for each in squares])
    assert found.predicted_kl == pytest.approx(0.5 * sum(squares) / 8)


def test_only_the_first_batches_are_scored_and_counted() -> None:
    found = scored_by_hand([1, 2, 3, 4, 5, 6, 7, 8], ONES, None, "autoquant.score_size=2")
    assert found.sample_scores is not None
    assert found.sample_scores.tolist() == pytest.approx([5, 9])
    (found,) = with_predictions([found], 3)
    assert found.predicted_kl == pytest.approx(0.5 * ((1 + 36) / 2 + (9 + 36) / 2) / 3)


@pytest.mark.parametrize("limit", range(1, ROWS + 2))
def test_no_row_is_left_out_however_the_rows_are_cut(limit: int) -> None:
    found = scored_by_hand([1, 2, 3, 4, 5, 6, 7, 8], ONES, limit)
    assert found.sample_scores is not None
    assert found.sample_scores.tolist() == pytest.approx([5, 9, 16, 110, 64])


def test_a_product_is_clamped_where_modelopt_clamps_it() -> None:
    from modelopt.torch.quantization.algorithms import _get_auto_quantize_score

    inputs = [2.0, *ONES[1:-1], 3e6]
    for factor in (3e3, 4e3, 1e5):
        gradients = [*ONES[:-1], factor]
        found = scored_by_hand(inputs, gradients)
        theirs = _get_auto_quantize_score(torch.tensor(gradients), torch.tensor(inputs))
        assert found.score == pytest.approx(float(theirs), rel=1e-6)
        assert found.status == ("saturated" if 3e6 * factor > 1e10 else "scored")


@pytest.mark.parametrize(
    ("inputs", "gradients", "status"),
    [
        ([0.0] * ROWS, ONES, "not_exercised"),
        (ONES, [0.0] * ROWS, "not_exercised"),
        ([1e-30] * ROWS, [1e-30] * ROWS, "not_exercised"),
        ([0.0] * (ROWS - 1) + [1e-30], [1.0] * (ROWS - 1) + [1e-30], "not_exercised"),
        ([0.0] * (ROWS - 1) + [1.0], [1.0] * (ROWS - 1) + [0.0], "scored"),
    ],
)
def test_a_score_of_zero_is_lossless_only_where_none_of_its_products_vanished(
    inputs: list[float], gradients: list[float], status: str
) -> None:
    found = scored_by_hand(inputs, gradients)
    assert (found.score, found.status) == (0.0, status)


@pytest.mark.parametrize("position", [0, 4, ROWS - 1])
def test_one_row_that_is_no_number_makes_the_group_non_finite(position: int) -> None:
    gradients = list(ONES)
    gradients[position] = math.nan
    assert scored_by_hand(ONES, gradients).status == "non_finite"


@pytest.mark.parametrize(
    ("calibrated", "maxima"),
    [
        (True, [[((0, 1, 2), 4.0)], [], [((0,), pytest.approx(4 * 8 ** (math.pi / 24**0.5)))]]),
        (False, [[((0,), 1.0), ((1,), 4.0), ((2,), 2.0)], []]),
    ],
)
def test_a_calibrated_input_has_one_maximum_and_what_others_may_give_and_another_has_one_a_batch(
    calibrated: bool, maxima: list[list[tuple[tuple[int, ...], Any]]]
) -> None:
    plan = plan_of()
    key = format_key(plan.cases[0])
    quantizers = FormatQuantizers(None, None, "weights", "inputs", calibrated)
    variants = input_variants(
        plan, {key: quantizers}, [(key, size_key(plan.cases[0]))], np.array([1, 4, 2], dtype=np.float32)
    )
    assert [list(each.maxima) for each in variants] == maxima
