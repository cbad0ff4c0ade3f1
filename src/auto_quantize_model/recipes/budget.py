"""What a recipe may cost, in whatever unit it was said."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, get_args

from auto_quantize_model.cases.settings import BudgetUnit
from auto_quantize_model.errors import InputError
from auto_quantize_model.precision.formats import UNQUANTIZED_BITS

if TYPE_CHECKING:
    from auto_quantize_model.recipes.candidates import Candidates

BITS_A_GIGABYTE = 8e9


@dataclasses.dataclass(frozen=True, slots=True)
class Budget:
    """A limit on a recipe."""

    unit: BudgetUnit
    """`bits`: effective bits a scored weight; `gigabytes`: of the whole checkpoint; `share`: of its size unquantized;
    `max_kl`: predicted KL in nats per token, for as few bits as it takes."""
    value: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and self.value > 0):
            raise InputError(f"a budget is a number above 0, not {self.value:g}")

    def __str__(self) -> str:
        match self.unit:
            case "bits":
                return f"{self.value:g} bits"
            case "gigabytes":
                return f"{self.value:g} GB"
            case "share":
                return f"{self.value:g} of the unquantized size"
            case "max_kl":
                return f"a predicted KL of {self.value:g}"

    def in_bits(self, choice: Candidates) -> float:
        """The limit on the bits of all scored weights together, in what the unit counts."""
        whole = choice.parameters * UNQUANTIZED_BITS
        match self.unit:
            case "bits":
                return self.value * float(choice.counted.sum())
            case "gigabytes":
                return self.value * BITS_A_GIGABYTE - choice.other_bits
            case "share":
                return self.value * whole - choice.other_bits
            case "max_kl":
                return math.inf

    def from_bits(self, choice: Candidates, bits: float) -> float:
        """In the unit of the budget, what so many bits of all scored weights come to."""
        match self.unit:
            case "gigabytes":
                return gigabytes(choice, bits)
            case "share":
                return (bits + choice.other_bits) / (choice.parameters * UNQUANTIZED_BITS)
            case _:
                return bits / float(choice.counted.sum())


def checked_budget(budget: Budget | float | Mapping[str, float]) -> Budget:
    """A budget, however it was given; a mistake is an `InputError`."""
    if isinstance(budget, Budget):
        return budget
    limits = dict(budget) if isinstance(budget, Mapping) else {"bits": budget}
    if len(limits) != 1 or not set(limits) <= set(get_args(BudgetUnit)):
        raise InputError(
            f"a recipe has one budget, one of {', '.join(get_args(BudgetUnit))}; not {', '.join(limits) or 'none'}"
        )
    ((unit, value),) = limits.items()
    return Budget(unit, float(value))  # type: ignore[arg-type]


def gigabytes(choice: Candidates, stored_bits: float) -> float:
    """The whole checkpoint, where the scored weights take so many bits."""
    return (stored_bits + choice.other_bits) / BITS_A_GIGABYTE
