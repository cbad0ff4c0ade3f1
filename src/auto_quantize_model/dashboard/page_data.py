"""All that one page shows: sources of cases, recipes, comparisons, history."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Any

from auto_quantize_model.comparison.side_by_side import compare_sources
from auto_quantize_model.comparison.wording import reasons, summary, worst_by_group
from auto_quantize_model.dashboard.case_data import case_data, group_names
from auto_quantize_model.errors import InputError
from auto_quantize_model.manifest.document import mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from auto_quantize_model.cases.settings import Tolerances
    from auto_quantize_model.comparison.side_by_side import ComparedCase, SideBySide
    from auto_quantize_model.comparison.sources import Source

_MOST_FIGURES = 120
"""More cases than these go without their figures, which would be most of the file."""
_MOST_MOVED = 20
_FRONT_POINTS = 60


@dataclasses.dataclass(frozen=True, slots=True)
class Remark:
    """What a session came to about a case, beside what its manifest says."""

    verdict: str
    reason: str | None


def page_data(
    sources: Sequence[Source],
    recipes: Mapping[str, Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]]],
    tolerances: Tolerances,
    remarks: Mapping[str, Remark] | None = None,
    history: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The page's data: the first source is what the others are compared with; `remarks` are of the last one's cases.

    `recipes` are `recipe.json` and `pareto.json`, by model and name.
    """
    with_figures = sum(len(source.manifests) for source in sources) <= _MOST_FIGURES
    names: dict[str, dict[str, Any]] = {}
    shown = []
    for number, source in enumerate(sources):
        cases = []
        for path, manifest in source.manifests.items():
            identifier = str(mapping(manifest, "case").get("id") or path.parent)
            case = case_data(manifest, identifier, with_figure=with_figures)
            names.setdefault(case["model"], {}).update(group_names(manifest))
            remark = (remarks or {}).get(identifier) if number == len(sources) - 1 else None
            cases.append(case | ({} if remark is None else {"verdict": remark.verdict, "reason": remark.reason}))
        shown.append({"name": source.name, "cases": cases})
    return {
        "groups": names,
        "sources": shown,
        "recipes": {
            model: {name: _recipe(*each) for name, each in its.items()}
            for model, its in recipes.items()
            if model in names
        },
        "comparisons": list(_comparisons(sources, tolerances)),
        "history": history,
    }


def _recipe(recipe: Mapping[str, Any], pareto: Mapping[str, Any]) -> dict[str, Any]:
    points = pareto["points"]
    step = max(len(points) // _FRONT_POINTS, 1)
    return {
        "bits": recipe["effective_bits"],
        "predicted": recipe["predicted_kl"],
        "measured": mapping(recipe, "measured").get("kl"),
        "front": [[each["effective_bits"], each["predicted_kl"]] for each in points[::step]],
    }


def _comparisons(sources: Sequence[Source], tolerances: Tolerances) -> Iterator[dict[str, Any]]:
    for other in itertools.islice(sources, 1, None):
        try:
            sides = compare_sources(sources[0], other, tolerances)
        except InputError as error:
            yield {"old": sources[0].name, "new": other.name, "problem": str(error), "cases": []}
        else:
            yield _comparison(sides)


def _comparison(sides: SideBySide) -> dict[str, Any]:
    return {
        "old": sides.old,
        "new": sides.new,
        "verdict": sides.verdict,
        "cases": [_compared(case) for case in sides.cases],
        "onlyOld": list(sides.only_old),
        "onlyNew": list(sides.only_new),
    }


def _compared(case: ComparedCase) -> dict[str, Any]:
    comparison = case.comparison
    moved = worst_by_group(comparison.moved)[:_MOST_MOVED]
    return {
        "case": case.name,
        "verdict": comparison.verdict,
        "summary": summary(comparison),
        "reasons": [line.strip() for line in reasons(comparison)],
        "totals": [comparison.total_old, comparison.total_new],
        "moved": [[each.group, each.measure, each.old, each.new, each.ratio, each.within] for each in moved],
    }
