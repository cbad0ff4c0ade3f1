"""The predicted KL of a case's groups, once all of them are scored."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from auto_quantize_model.scores import MEASURED
from auto_quantize_model.statistics.predicted_kl import predicted_kl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auto_quantize_model.scores import GroupScore, Samples


def with_predictions(groups: Sequence[GroupScore], tokens: int) -> list[GroupScore]:
    """The same groups with what each is predicted to cost; `tokens` are the loss tokens of all scored captions.

    Each group's prediction takes something from what all groups of the case have in common.
    """
    known = [
        (each.group.name, each.signed, each.row_kl)
        for each in groups
        if each.status in MEASURED and each.signed is not None and each.row_kl is not None
    ]
    found = predicted_kl([signed for _, signed, _ in known], [by_row for *_, by_row in known])
    by_name = {name: values / tokens for (name, *_), values in zip(known, found.by_caption, strict=True)}
    return [_filled(each, by_name.get(each.group.name), found.log_spread) for each in groups]


def _filled(score: GroupScore, sample_kl: Samples | None, log_spread: float) -> GroupScore:
    if sample_kl is None:
        return score
    total = float(sample_kl.sum())
    spread = math.hypot(log_spread, score.log_spread)
    return dataclasses.replace(score, predicted_kl=total, sample_kl=sample_kl, kl_log_spread=spread)
