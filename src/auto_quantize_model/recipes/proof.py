"""What proving a recipe came to, in plain values; the proving itself needs torch and is elsewhere."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

from auto_quantize_model.manifest.measured import describe_measurement
from auto_quantize_model.statistics.bootstrap import paired_ratio

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from auto_quantize_model.scores import Measured, MeasuredOn

MODELOPTS_OWN: Final = "mtq.auto_quantize's own choice"


@dataclasses.dataclass(frozen=True, slots=True)
class Compared:
    """What else one could have done, measured on the same captions."""

    name: str
    effective_bits: float
    kl: float
    ratio: float
    """Its KL over that of the recipe."""
    ratio_ci95: tuple[float, float]
    is_pair: bool
    """Whether every group has one pair."""


@dataclasses.dataclass(frozen=True, slots=True)
class Proof:
    """A recipe, measured."""

    measured: dict[str, Any]
    """As manifests say it."""
    compared: tuple[Compared, ...]

    def beaten_by(self, effective_bits: float) -> Compared | None:
        """The best pair alone that is better with no more bits, beyond doubt; None where there is none."""
        better = [
            each
            for each in self.compared
            if each.is_pair and each.effective_bits <= effective_bits and each.ratio_ci95[1] < 1
        ]
        return min(better, key=lambda each: each.kl, default=None)


@dataclasses.dataclass(frozen=True, slots=True)
class Rival:
    """What a recipe is compared with."""

    name: str
    effective_bits: float
    is_pair: bool


def proof_from(document: Mapping[str, Any]) -> Proof | None:
    """That of a `recipe.json`; None where it was not proved."""
    if document["measured"] is None:
        return None
    compared = tuple(
        Compared(**{**each, "ratio_ci95": tuple(each["ratio_ci95"])}) for each in document["compared"] or ()
    )
    return Proof(document["measured"], compared)


def proof_of(ours: Measured, rivals: Sequence[tuple[Rival, Measured]], on: MeasuredOn) -> Proof:
    """From what was measured: ours, and each rival's."""
    compared = []
    for rival, measured in rivals:
        ratio, low, high = paired_ratio(measured.kl, ours.kl)
        compared.append(
            Compared(rival.name, rival.effective_bits, measured.kl_per_token, ratio, (low, high), rival.is_pair)
        )
    return Proof(describe_measurement(ours, on), tuple(compared))
