"""An explanation as JSON values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from auto_quantize_model.explain.explanation import Explanation
    from auto_quantize_model.explain.shares import Part, Shares

LEGEND = (
    "A cause's effect is the score now minus the score of a rerun with only this cause set back; an interaction is "
    "what setting back several at once does beyond that. Shares are the effects projected on the drift over all "
    "groups: with the unexplained rest they add up to 100 %, and a negative one works against the drift."
)


def as_json(explanation: Explanation) -> dict[str, Any]:
    """The whole explanation; shares are fractions, effects are in the unit of the scores."""
    shares = explanation.shares
    singles = {part.causes[0]: part for part in shares.parts if len(part.causes) == 1}
    return {
        "case": explanation.case_id,
        "outcome": explanation.outcome,
        "total": {"old": float(shares.old.sum()), "new": float(shares.new.sum())},
        "causes": [
            {"cause": cause.name, "old": cause.old, "new": cause.new, **_part(singles[cause.name], shares)}
            for cause in explanation.causes
        ],
        "interactions": [
            {"causes": list(part.causes), **_part(part, shares)} for part in shares.parts if len(part.causes) > 1
        ],
        "unexplained": {**_part(shares.residual, shares), "missed": shares.missed},
        "untested": [
            {"cause": each.name, "old": each.old, "new": each.new, "why": each.why} for each in explanation.untested
        ],
        "not_stated_by_the_baseline": list(explanation.unstated),
        "groups_left_out": list(explanation.left_out),
        "legend": LEGEND,
    }


def _part(part: Part, shares: Shares) -> dict[str, Any]:
    effects = dict(zip(shares.groups, part.effect.tolist(), strict=True))
    return {"share": part.share, "total": part.total, "groups": effects}
