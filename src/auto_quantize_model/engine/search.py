"""The search: which groups to quantize within a budget of bits, found by ModelOpt's own solvers."""

from __future__ import annotations

import dataclasses
import warnings
from typing import TYPE_CHECKING, Any

from auto_quantize_model.errors import CaseError
from auto_quantize_model.precision.formats import UNQUANTIZED_BITS
from auto_quantize_model.scores import MEASURED, Selection

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from auto_quantize_model.cases.settings import AutoQuantSettings
    from auto_quantize_model.scores import GroupScore, SearchStatus

_QUANTIZED = "quantized"
_LARGEST = 1e6
"""The largest score that the solver is given."""
_TOLERANCE = 1e-12
"""ModelOpt's own slack, as a share of the unquantized cost."""


def search(scores: Sequence[GroupScore], format_bits: float, autoquant: AutoQuantSettings) -> Selection:
    """Solve for the budget; by default it is the format's own bits, so that every measured group is quantized.

    The denominator of the effective bits is the measured groups: what is never quantized does not dilute it. A group
    that was not measured stays unquantized, for nobody knows what quantizing it costs.
    """
    budget = format_bits if autoquant.effective_bits is None else autoquant.effective_bits
    measured = [score for score in scores if score.status in (*MEASURED, "non_finite")]
    if not measured:
        nothing = (False,) * len(scores)
        return Selection(budget, UNQUANTIZED_BITS, None, "not_measured", nothing, format_bits)
    selection = _search_measured(measured, format_bits, budget, autoquant)
    chosen = dict(zip((score.group.name for score in measured), selection.quantized, strict=True))
    partly = any(score.status not in ("disabled", *MEASURED, "non_finite") for score in scores)
    return dataclasses.replace(
        selection,
        status="partial" if partly and selection.status == "optimal" else selection.status,
        quantized=tuple(chosen.get(score.group.name, False) for score in scores),
    )


def _search_measured(
    scores: Sequence[GroupScore], format_bits: float, budget: float, autoquant: AutoQuantSettings
) -> Selection:
    full = sum(score.group.cost for score in scores)
    if not full:
        raise CaseError("autoquant.cost_excluded_layers leaves no group that costs bits: there is no budget to keep")
    if full * format_bits > full * budget + full * UNQUANTIZED_BITS * _TOLERANCE:
        return _selection(scores, format_bits, budget, [True] * len(scores), "infeasible")
    if any(score.status == "non_finite" for score in scores):
        return _selection(scores, format_bits, budget, [True] * len(scores), "not_finite")
    if budget == format_bits:
        return _selection(scores, format_bits, budget, [True] * len(scores), "optimal")
    quantized, satisfied = _solve(scores, format_bits, full * budget / UNQUANTIZED_BITS, autoquant)
    return _selection(scores, format_bits, budget, quantized, "optimal" if satisfied else "not_solved")


def _solve(
    scores: Sequence[GroupScore], format_bits: float, max_size: float, autoquant: AutoQuantSettings
) -> tuple[list[bool], bool]:
    # Its threshold search for the KL method has a scale of its own.
    scale = _scale(scores) if autoquant.method == "gradient" else 1.0
    stats = {
        score.group.name: {
            "formats": [_QUANTIZED, None],
            "scores": [score.score * scale, 0.0],
            "costs": [score.group.cost * format_bits / UNQUANTIZED_BITS, float(score.group.cost)],
        }
        for score in scores
    }
    best, satisfied = run_modelopts_search(stats, max_size, autoquant.method, autoquant.cost_model)
    return [best[score.group.name]["format"] == _QUANTIZED for score in scores], satisfied


def run_modelopts_search(
    stats: Mapping[str, Mapping[str, Any]], max_size: float, method: str = "gradient", cost_model: str = "weight"
) -> tuple[dict[str, Any], bool]:
    """What ModelOpt's own solver chooses from its own kind of statistics, and whether that keeps to the size."""
    from modelopt.torch.quantization import algorithms

    searcher: Any = (
        algorithms.AutoQuantizeGradientSearcher() if method == "gradient" else algorithms.AutoQuantizeKLDivSearcher()
    )
    searcher.cost_model = cost_model
    searcher.candidate_stats = stats
    with warnings.catch_warnings():
        # A budget that no selection meets is told by what is returned, not by a warning.
        warnings.simplefilter("ignore")
        best, satisfied = searcher.run_search_with_stats(max_size)
    return best, bool(satisfied)


def _scale(scores: Sequence[GroupScore]) -> float:
    """What makes scores large for the solver: it stops at differences of 1e-5, which they may all be below."""
    largest = max((score.score for score in scores), default=0.0)
    return _LARGEST / largest if largest > 0 else 1.0


def _selection(
    scores: Sequence[GroupScore], format_bits: float, budget: float, quantized: list[bool], status: SearchStatus
) -> Selection:
    chosen = [score for score, quantize in zip(scores, quantized, strict=True) if quantize]
    full = sum(score.group.cost for score in scores)
    small = sum(score.group.cost for score in chosen)
    bits = (small * format_bits + (full - small) * UNQUANTIZED_BITS) / full
    finite = all(score.status != "non_finite" for score in chosen)
    total = sum(score.score for score in chosen) if finite else None
    return Selection(budget, bits, total, status, tuple(quantized), format_bits)
