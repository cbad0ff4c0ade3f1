"""The search: which groups to quantize within a budget of bits, found by ModelOpt's own solvers."""

from __future__ import annotations

import dataclasses
import warnings
from typing import TYPE_CHECKING, Any, Literal

from auto_quantize_model.precision.formats import UNQUANTIZED_BITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auto_quantize_model.cases.settings import AutoQuantSettings
    from auto_quantize_model.engine.scores import GroupScore

SearchStatus = Literal["optimal", "infeasible", "not_finite", "not_solved"]

_QUANTIZED = "quantized"
_LARGEST = 1e6
"""The largest score that the solver is given."""
_TOLERANCE = 1e-12
"""ModelOpt's own slack, as a share of the unquantized cost."""


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
            case "optimal":
                return None
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


def search(scores: Sequence[GroupScore], format_bits: float, autoquant: AutoQuantSettings) -> Selection:
    """Solve for the budget; by default it is the format's own bits, so that every group is quantized.

    The denominator of the effective bits is the scored groups: what is never quantized does not dilute it.
    """
    budget = format_bits if autoquant.effective_bits is None else autoquant.effective_bits
    full = sum(float(score.group.weights) for score in scores)
    if full * format_bits > full * budget + full * UNQUANTIZED_BITS * _TOLERANCE:
        return _selection(scores, format_bits, budget, [True] * len(scores), "infeasible")
    if any(score.status == "non_finite" for score in scores):
        return _selection(scores, format_bits, budget, [True] * len(scores), "not_finite")
    if budget == format_bits:
        return _selection(scores, format_bits, budget, [True] * len(scores), "optimal")
    quantized, satisfied = _solve(scores, format_bits, full * budget / UNQUANTIZED_BITS, autoquant.method)
    return _selection(scores, format_bits, budget, quantized, "optimal" if satisfied else "not_solved")


def _solve(scores: Sequence[GroupScore], format_bits: float, max_size: float, method: str) -> tuple[list[bool], bool]:
    from modelopt.torch.quantization import algorithms

    searcher: Any = (
        algorithms.AutoQuantizeGradientSearcher() if method == "gradient" else algorithms.AutoQuantizeKLDivSearcher()
    )
    # Its threshold search for the KL method has a scale of its own.
    scale = _scale(scores) if method == "gradient" else 1.0
    searcher.cost_model = "weight"
    searcher.candidate_stats = {
        score.group.name: {
            "formats": [_QUANTIZED, None],
            "scores": [score.score * scale, 0.0],
            "costs": [score.group.weights * format_bits / UNQUANTIZED_BITS, float(score.group.weights)],
        }
        for score in scores
    }
    with warnings.catch_warnings():
        # A budget that no selection meets is a status here, not a warning.
        warnings.simplefilter("ignore")
        best, satisfied = searcher.run_search_with_stats(max_size)
    return [best[score.group.name]["format"] == _QUANTIZED for score in scores], bool(satisfied)


def _scale(scores: Sequence[GroupScore]) -> float:
    """What makes scores large for the solver: it stops at differences of 1e-5, which they may all be below."""
    largest = max((score.score for score in scores), default=0.0)
    return _LARGEST / largest if largest > 0 else 1.0


def _selection(
    scores: Sequence[GroupScore], format_bits: float, budget: float, quantized: list[bool], status: SearchStatus
) -> Selection:
    chosen = [score for score, quantize in zip(scores, quantized, strict=True) if quantize]
    full = sum(score.group.weights for score in scores)
    small = sum(score.group.weights for score in chosen)
    bits = (small * format_bits + (full - small) * UNQUANTIZED_BITS) / full
    finite = all(score.status != "non_finite" for score in chosen)
    total = sum(score.score for score in chosen) if finite else None
    return Selection(budget, bits, total, status, tuple(quantized), format_bits)
