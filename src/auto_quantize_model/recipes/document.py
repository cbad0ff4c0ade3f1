"""A recipe's own files: `recipe.json` for machines, `recipe.yaml` to read and to keep, `pareto.json` with the front."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from auto_quantize_model.recipes.open_groups import more_captions
from auto_quantize_model.recipes.solving import NEGLIGIBLE, alone
from auto_quantize_model.reports.committed_recipes import SETTLED

if TYPE_CHECKING:
    from auto_quantize_model.recipes.open_groups import OpenGroup
    from auto_quantize_model.recipes.proof import Proof
    from auto_quantize_model.recipes.recipe import Recipe
    from auto_quantize_model.recipes.solving import FrontPoint, Totals

_MEASURED = ("kl", "kl_ci95", "loss_change", "loss_change_ci95", "top1_agreement", "top1_agreement_ci95", "captions")
_SIGNIFICANT = 9
"""Digits of what sums and resamples come to: their last ones depend on the machine."""


def recipe_document(recipe: Recipe, proof: Proof | None) -> dict[str, Any]:
    """Plain JSON values, in a fixed order."""
    choice, solved = recipe.choice, recipe.solved
    totals, stability = solved.totals, solved.stability
    first = choice.sources[0].manifest
    return {
        **_asked(recipe),
        "effective_bits": _rounded(totals.effective_bits),
        "gigabytes": _rounded(totals.gigabytes),
        "predicted_kl": _rounded(totals.predicted_kl),
        "predicted_kl_ci95": _rounded(totals.ci95),
        "predicted_kl_whole": _rounded(totals.whole),
        "predicted_kl_whole_ci95": _rounded(totals.whole_ci95),
        "alone": {pair: _alone(its) for pair, its in alone(choice).items()},
        "gap": _rounded(solved.gap if solved.gap > NEGLIGIBLE else 0.0),
        "measured": None if proof is None else {key: proof.measured[key] for key in _MEASURED},
        "compared": None if proof is None else [dataclasses.asdict(each) for each in proof.compared],
        "settled": None if stability is None else int((stability.shares.max(axis=1) >= SETTLED).sum()),
        "open": None if stability is None else _every_open(recipe),
        "checkpoint_sha256": first["model"]["checkpoint_sha256"],
        "captions_sha256": first["calibration"]["captions_sha256"],
        "formats": {source.pair: source.manifest["quantization"]["config_sha256"] for source in choice.sources},
        "assignment": _assignment(recipe),
    }


def _asked(recipe: Recipe) -> dict[str, Any]:
    """What the recipe is of, and what was asked of it."""
    return {
        "model": recipe.choice.model,
        "size": recipe.choice.size,
        "budget": {recipe.budget.unit: recipe.budget.value},
        "pairs": [source.pair for source in recipe.choice.sources],
        "runtime": None if recipe.runtime is None else recipe.runtime.name,
        "pins": list(recipe.pins),
    }


def recipe_json(recipe: Recipe, proof: Proof | None) -> str:
    """`recipe.json`."""
    return json.dumps(recipe_document(recipe, proof), indent=2, allow_nan=False) + "\n"


def recipe_yaml(recipe: Recipe) -> str:
    """`recipe.yaml`: what was asked, and the pair of each group."""
    import yaml

    totals = recipe.solved.totals
    document: dict[str, Any] = {
        **_asked(recipe),
        "effective_bits": _rounded(totals.effective_bits),
        "predicted_kl": _rounded(totals.predicted_kl),
        "assignment": recipe.assignment,
    }
    return yaml.safe_dump(document, sort_keys=False, width=120)


def pareto_json(recipe: Recipe) -> str:
    """`pareto.json`."""
    return json.dumps(pareto_document(recipe), indent=2, allow_nan=False) + "\n"


def pareto_document(recipe: Recipe) -> dict[str, Any]:
    """Every recipe of the front, from the fewest bits to the most."""
    front = recipe.front
    return {
        "model": recipe.choice.model,
        "size": recipe.choice.size,
        "pairs": list(recipe.choice.pairs),
        "knee": front.knee,
        "points": [_point(each) for each in front.points],
    }


def _every_open(recipe: Recipe) -> list[dict[str, Any]]:
    # In the model's order: how settled they are differs by a draw or two from one machine to another.
    return [_open(recipe, each) for each in sorted(recipe.open_groups, key=lambda each: each.row)]


def _open(recipe: Recipe, group: OpenGroup) -> dict[str, Any]:
    """Between which two pairs, the recipe's own first, what would settle it, and the captions that decide."""
    choice = recipe.choice
    between = [choice.pairs[int(recipe.solved.chosen[group.row])], choice.pairs[group.rival]]
    captions = None if group.times is None else group.times * len(choice.tokens)
    more = None if captions is None else more_captions(choice.sources[0].manifest, captions)
    return {
        "group": choice.parts[group.row].name,
        "between": between,
        "times": group.times,
        "captions": captions,
        "size": None if more is None else more.size,
        "score_size": None if more is None else more.score_size,
        "deciding": None
        if group.deciding is None
        else [
            {"caption": each.caption + 1, "for": between[not each.for_first], "share": _rounded(each.share)}
            for each in group.deciding
        ],
    }


def _alone(totals: Totals) -> dict[str, Any]:
    return {
        "effective_bits": _rounded(totals.effective_bits),
        "predicted_kl": _rounded(totals.predicted_kl),
        "predicted_kl_ci95": _rounded(totals.ci95),
    }


def _point(point: FrontPoint) -> dict[str, Any]:
    return {
        "effective_bits": _rounded(point.effective_bits),
        "gigabytes": _rounded(point.gigabytes),
        "predicted_kl": _rounded(point.predicted_kl),
        "predicted_kl_ci95": _rounded(point.ci95),
        "groups": point.counts,
    }


def _assignment(recipe: Recipe) -> dict[str, Any]:
    choice, stability = recipe.choice, recipe.solved.stability
    result: dict[str, Any] = {}
    for row, (part, column) in enumerate(zip(choice.parts, recipe.solved.chosen.tolist(), strict=True)):
        shares = None if stability is None else stability.shares[row]
        its: dict[str, Any] = {
            "pair": choice.pairs[column],
            "modules": list(part.modules),
            "stability": None if shares is None else _rounded(float(shares[column])),
            "shares": None
            if shares is None
            else {pair: _rounded(float(each)) for pair, each in zip(choice.pairs, shares, strict=True) if each > 0},
        }
        if part.why_left_out is not None:
            its["left_out"] = part.why_left_out
        result[part.name] = its
        for name in part.names[1:]:
            result[name] = {**its, "modules": [], "with": part.name}
    return result


def _rounded(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, tuple):
        return [_rounded(each) for each in value]
    return float(f"{value:.{_SIGNIFICANT}g}")
