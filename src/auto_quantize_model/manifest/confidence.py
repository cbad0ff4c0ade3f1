"""From what each caption adds to the scores to what the manifest says of how sure they are."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from auto_quantize_model.statistics.bootstrap import LEVEL, RESAMPLES, sums
from auto_quantize_model.statistics.sufficiency import convergence, top_ten
from auto_quantize_model.statistics.uncertainty import kl_uncertainties, uncertainties

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from auto_quantize_model.scores import GroupScore
    from auto_quantize_model.statistics.sufficiency import TopTen
    from auto_quantize_model.statistics.uncertainty import KlUncertainty, Uncertainty

NOT_KNOWN: Mapping[str, None] = dict.fromkeys(
    ("stderr", "ci95", "rank_ci95", "tie_band", "predicted_kl_stderr", "predicted_kl_ci95")
)
"""What an entry says of a group that was not measured, or not caption by caption."""


@dataclasses.dataclass(frozen=True, slots=True)
class Confidence:
    """How sure the scores of a case are."""

    groups: Mapping[str, Mapping[str, Any]]
    """What an entry says of each measured group, by its name."""
    statistics: dict[str, Any] | None
    """What the manifest says of all of them; None where the engine saw only sums."""


def describe_confidence(measured: Sequence[GroupScore], tokens: NDArray[np.int64]) -> Confidence:
    """Plain JSON values for the groups that were measured, with the loss tokens of each scored caption."""
    samples = list(_known(score.sample_scores for score in measured))
    kl = list(_known(score.sample_kl for score in measured))
    if len(samples) < len(measured) or len(kl) < len(measured):
        return Confidence({}, None)
    of_scores = uncertainties(samples, [score.log_spread for score in measured])
    of_kl = kl_uncertainties(kl, tokens, [score.kl_log_spread for score in measured])
    if of_scores is None or of_kl is None:
        return Confidence({}, None)
    names = [score.group.name for score in measured]
    bands = np.array([each.tie_band for each in of_scores])
    statistics = {
        "level": LEVEL,
        "resamples": RESAMPLES,
        "samples": len(tokens),
        "convergence": [dataclasses.asdict(each) for each in convergence(samples, kl, tokens)],
        "top_ten": _top_ten(top_ten(samples, sums(np.stack(samples)), bands), names),
    }
    groups = {name: _entry(score, its_kl) for name, score, its_kl in zip(names, of_scores, of_kl, strict=True)}
    return Confidence(groups, statistics)


def _known(samples: Iterable[NDArray[np.float64] | None]) -> Iterable[NDArray[np.float64]]:
    return (each for each in samples if each is not None)


def _entry(score: Uncertainty, kl: KlUncertainty) -> dict[str, Any]:
    return {
        "stderr": score.stderr,
        "ci95": list(score.ci95),
        "rank_ci95": list(score.rank_ci95),
        "tie_band": score.tie_band,
        "predicted_kl_stderr": kl.stderr,
        "predicted_kl_ci95": list(kl.ci95),
    }


def _top_ten(top: TopTen, names: Sequence[str]) -> dict[str, Any]:
    between = None if top.between is None else [names[position] for position in top.between]
    return {**dataclasses.asdict(top), "between": between}
