"""What the manifest says of the predicted KL of all groups that are quantized together."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from auto_quantize_model.scores import MEASURED
from auto_quantize_model.statistics.total_kl import total_kl

if TYPE_CHECKING:
    from auto_quantize_model.scores import CaseScores, Selection


def describe_total(scores: CaseScores, selection: Selection) -> dict[str, Any] | None:
    """Plain JSON values; None where no group that is quantized was measured with probes, or it is not finite."""
    quantized = [score for score, chosen in zip(scores.groups, selection.quantized, strict=True) if chosen]
    known = [
        (score.sample_kl, score.signed)
        for score in quantized
        if score.sample_kl is not None and score.signed is not None and score.status in MEASURED
    ]
    if not known:
        return None
    tokens = scores.sample_tokens
    total = total_kl([alone * int(tokens.sum()) for alone, _ in known], [signed for _, signed in known], tokens)
    if not (math.isfinite(total.sum) and math.isfinite(total.whole)):
        return None
    intervals = {
        name: value if value is None else list(value)
        for name, value in dataclasses.asdict(total).items()
        if name.endswith("_ci95")
    }
    return {**dataclasses.asdict(total), **intervals}
