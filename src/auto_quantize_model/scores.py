"""What is scored, and what an engine finds for a case: per group, per caption, and the choice that follows."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    Samples = NDArray[np.float64]

Status = Literal["scored", "disabled", "not_covered", "not_exercised", "saturated", "non_finite"]
MEASURED: tuple[Status, ...] = ("scored", "saturated")
"""The statuses of groups whose score means something."""
SearchStatus = Literal["optimal", "partial", "infeasible", "not_finite", "not_measured", "not_solved"]
"""`partial`: optimal for the groups that were measured, while the others stay unquantized."""


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """Modules that share a precision, mostly linear layers; named after the first."""

    members: tuple[str, ...]
    module_types: tuple[str, ...]
    weights: int
    """How many weights the members have together."""
    scored_at: tuple[str, ...] = ()
    """The modules that run again, with the members quantized inside, to score them; empty where each member is a
    linear layer and scored at its own output, so that a product will do."""
    cost_weight: float = 1.0
    """The share of its bits that a budget counts, by ModelOpt's cost model."""

    @property
    def elsewhere(self) -> tuple[str, ...]:
        """The modules that it is scored at, where these are not its members themselves."""
        return () if self.scored_at == self.members else self.scored_at

    @property
    def cost(self) -> float:
        """How many weights a budget counts for it."""
        return self.weights * self.cost_weight

    @property
    def name(self) -> str:
        """The group's name: that of its first member."""
        return self.members[0]


@dataclasses.dataclass(frozen=True, slots=True)
class InCheckpoint:
    """What the checkpoint's files call the parts of a model that runtimes are told of."""

    names: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Of the layers that they call otherwise than the loaded model does."""
    others: tuple[str, ...] = ()
    """Where all else lies that could be quantized, such as a vision tower: the beginnings of its modules' names."""


@dataclasses.dataclass(frozen=True, slots=True)
class Split:
    """What a group would score with only one of the two sides quantized."""

    weights: float
    activations: float


@dataclasses.dataclass(frozen=True, slots=True)
class Calibration:
    """What calibrating on other captions may change of a group's score."""

    log_spread: float | None
    """A standard deviation of the score's logarithm; None where it is not known."""


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Measured:
    """What really quantizing something did to the model's output, an entry a caption."""

    kl: Samples
    """The KL divergence from the unquantized model, in nats, added up over the caption's tokens."""
    loss_change: Samples
    """By how much the loss grew, added up likewise."""
    agreed: Samples
    """For how many tokens the most probable one stayed the same."""
    tokens: NDArray[np.int64]
    """How many tokens the caption has that are predicted."""

    @property
    def kl_per_token(self) -> float:
        """Nats per token, over all captions."""
        return float(self.kl.sum() / self.tokens.sum())

    def first(self, captions: int) -> Measured:
        """The same of the first captions alone."""
        part = slice(captions)
        return Measured(self.kl[part], self.loss_change[part], self.agreed[part], self.tokens[part])

    def __repr__(self) -> str:
        return f"<Measured: KL {short_number(self.kl_per_token)} nats per token, {len(self.kl)} captions>"


@dataclasses.dataclass(frozen=True, slots=True)
class MeasuredOn:
    """The captions that something was measured on."""

    file: str | None
    """The file of captions that was named for it; None: the captions that are scored."""
    samples: int
    sha256: str


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class GroupScore:
    """How much quantizing one group is expected to hurt."""

    group: Group
    score: float
    """ModelOpt's score."""
    predicted_kl: float | None
    """The expected KL divergence in nats per token; None where the engine cannot tell, or not yet."""
    sample_scores: Samples | None
    """What each scored caption adds to `score`, in caption order; None where the engine sees only the sum."""
    sample_kl: Samples | None
    """What each scored caption adds to `predicted_kl`."""
    status: Status
    split: Split | None = None
    """None where the format leaves activations alone, and where the engine does not tell."""
    signed: Samples | None = None
    """Per probe and scored caption: the probe's gradient times what quantizing changes, summed up.

    Added over groups before squaring, they predict the KL divergence of quantizing all of these. None where
    `predicted_kl` can never be."""
    row_kl: Samples | None = None
    """The KL divergence in nats that each scored caption would have if its rows' errors were on their own."""
    padding_sets_maximum: bool = False
    """Whether the maximum that its inputs are quantized by comes from positions that only fill a batch up."""
    calibration: Calibration | None = None
    """None where the format has no input that is calibrated."""
    kl_log_spread: float = 0.0
    """How far `predicted_kl` may be off beside what captions leave open: a standard deviation of its logarithm."""
    measured: Measured | None = None
    """What really quantizing this group alone does; None where that was not asked for."""
    reason: str | None = None
    """Why nothing is known of it; None where the status says it all."""

    @property
    def log_spread(self) -> float:
        """How far `score` may be off beside what the captions it is scored on leave open, as far as that is known."""
        return (self.calibration.log_spread or 0.0) if self.calibration else 0.0

    @classmethod
    def not_covered(cls, group: Group, reason: str) -> GroupScore:
        """What there is to say of a group that the engine cannot score."""
        return cls(group, 0.0, None, None, None, "not_covered", reason=reason)

    @classmethod
    def disabled(cls, group: Group) -> GroupScore:
        """A group that the pair does not quantize."""
        return cls(group, 0.0, None, None, None, "disabled")

    def __repr__(self) -> str:
        numbers = f"score {short_number(self.score)}, predicted KL {short_number(self.predicted_kl)}"
        return f"<GroupScore {self.group.name}: {self.status}, {numbers}>"


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
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
    measured: Measured | None = None
    """What really quantizing every group does that the search quantizes; None where that was not asked for."""
    measured_on: MeasuredOn | None = None
    left_out: tuple[GroupScore, ...] = ()
    """The weight matrices in scope that ModelOpt's search does not quantize."""
    in_checkpoint: InCheckpoint = dataclasses.field(default_factory=InCheckpoint)

    @property
    def coverage(self) -> float:
        """The share of the weights that was scored, of those that the pair quantizes or nobody knows of."""
        scored = sum(each.group.weights for each in self.groups if each.status in MEASURED)
        return scored / self.weights_in_scope if self.weights_in_scope else 0.0

    @property
    def weights_in_scope(self) -> int:
        """How many weights the pair quantizes or nobody knows of."""
        return sum(each.group.weights for each in (*self.groups, *self.left_out) if each.status != "disabled")

    def __repr__(self) -> str:
        ran = f"scored on {self.scored_samples} captions by {self.engine.get('name')}"
        return f"<CaseScores: {len(self.groups)} groups, {ran}>"


@dataclasses.dataclass(frozen=True, slots=True)
class Selection:
    """Which groups the search quantizes, and what that costs."""

    budget_bits: float
    effective_bits: float
    score: float | None
    status: SearchStatus
    quantized: tuple[bool, ...]
    """Per group, in the order of the scores."""
    least_bits: float
    """What every group quantized costs: no budget below it can be met."""

    @property
    def problem(self) -> str | None:
        """One line on why there is no selection; None where the search found one."""
        budget, least = f"{self.budget_bits:g} effective bits", f"{self.least_bits:g}"
        match self.status:
            case "optimal" | "partial":
                return None
            case "not_measured":
                return "no group was measured, so nothing was searched; the manifest's statuses say why"
            case "infeasible":
                return (
                    f"no selection has {budget}: with every group quantized there are {least}, the least feasible; "
                    f"set autoquant.effective_bits to at least {least}"
                )
            case "not_solved":
                return (
                    f"the search found no selection within {budget}; {least} is the least feasible, with every group "
                    "quantized: change autoquant.effective_bits"
                )
            case "not_finite":
                return "not every score is finite, so nothing was searched; the manifest's statuses say which are not"


def short_number(value: float | None) -> str:
    """A number as it is shown in a line."""
    return "n/a" if value is None else f"{value:.4g}"
