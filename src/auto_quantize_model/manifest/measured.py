"""What the manifest says of what was measured by really quantizing it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from auto_quantize_model.statistics.bootstrap import estimate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from auto_quantize_model.scores import CaseScores, Measured, MeasuredOn

NOT_MEASURED: Mapping[str, None] = dict.fromkeys(("measured_kl", "measured_kl_ci95"))
"""What an entry says of a group that was not measured alone."""


def describe_measured(scores: CaseScores) -> dict[str, Any] | None:
    """Plain JSON values for all that the search quantizes; None where nothing was measured, or no number came of it."""
    measured, on = scores.measured, scores.measured_on
    if measured is None or on is None or not np.isfinite(measured.kl).all():
        return None
    return describe_measurement(measured, on)


def describe_measurement(measured: Measured, on: MeasuredOn) -> dict[str, Any]:
    """Plain JSON values for one measurement."""
    tokens = int(measured.tokens.sum())
    kept, kept_ci95 = _per_token(measured.agreed, measured.tokens)
    loss_change, loss_ci95 = _per_token(measured.loss_change, measured.tokens)
    return {
        **_kl(measured, ""),
        "loss_change": loss_change,
        "loss_change_ci95": loss_ci95,
        "top1_agreement": kept,
        # A share: what is beyond one of its ends is not there.
        "top1_agreement_ci95": None if kept_ci95 is None else [max(kept_ci95[0], 0.0), min(kept_ci95[1], 1.0)],
        "captions": {
            "file": on.file,
            "samples": on.samples,
            "loss_tokens": tokens,
            "sha256": on.sha256,
        },
    }


def measured_entry(measured: Measured | None) -> dict[str, Any]:
    """What an entry says of its group, quantized alone."""
    if measured is None or not np.isfinite(measured.kl).all():
        return dict(NOT_MEASURED)
    return _kl(measured, "measured_")


def _kl(measured: Measured, prefix: str) -> dict[str, Any]:
    kl, interval = _per_token(measured.kl, measured.tokens)
    # No divergence is below zero.
    sure = None if interval is None else [max(interval[0], 0.0), interval[1]]
    return {f"{prefix}kl": kl, f"{prefix}kl_ci95": sure}


def _per_token(values: NDArray[np.float64], tokens: NDArray[np.int64]) -> tuple[float, list[float] | None]:
    """A mean per token with its interval, which one caption alone does not have."""
    shares, weights = values / tokens.sum(), tokens.astype(np.float64)
    if np.count_nonzero(tokens) < 2:  # noqa: PLR2004  one caption has no spread
        return float(shares.sum()), None
    # Shifted by its smallest value per token, which a mean per token can be: the estimate is for what is not negative.
    lift = max(0.0, -float(np.min(np.divide(values, weights, out=np.zeros_like(values), where=weights > 0))))
    found = estimate((shares + lift * weights / tokens.sum())[None], weights)
    return float(shares.sum()), [float(found.low[0]) - lift, float(found.high[0]) - lift]
