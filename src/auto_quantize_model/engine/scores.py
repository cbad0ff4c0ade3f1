"""What an engine returns for a case: per group, per sample."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from auto_quantize_model.engine.groups import Group

    Samples = NDArray[np.float64]

Status = Literal["scored", "disabled", "not_exercised", "saturated", "non_finite"]


@dataclasses.dataclass(frozen=True, slots=True)
class Split:
    """What a group would score with only one of the two sides quantized."""

    weights: float
    activations: float


@dataclasses.dataclass(frozen=True, slots=True)
class GroupScore:
    """How much quantizing one group is expected to hurt."""

    group: Group
    score: float
    """ModelOpt's score."""
    predicted_kl: float | None
    """The expected KL divergence in nats per token; None where the engine cannot tell."""
    sample_scores: Samples | None
    """What each scored caption adds to `score`, in caption order; None where the engine sees only the sum."""
    sample_kl: Samples | None
    """What each scored caption adds to `predicted_kl`."""
    status: Status
    split: Split | None = None
    """None where the format leaves activations alone, and where the engine does not tell."""


@dataclasses.dataclass(frozen=True, slots=True)
class CaseScores:
    """An engine's whole answer for one case."""

    groups: tuple[GroupScore, ...]
    head: Group
    calibrated_tokens: int
    scored_samples: int
    scored_tokens: int
    loss_tokens: int
    sample_tokens: NDArray[np.int64]
    """How many positions of each scored caption the loss counts."""
    engine: dict[str, Any]
    """Which engine, device, number format and kernels ran."""
