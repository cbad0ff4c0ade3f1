"""One of ModelOpt's own recipes, solved: what ModelOpt would choose for its budget, beside the best choice."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from auto_quantize_model.recipes.budget import checked_budget
from auto_quantize_model.recipes.candidates import candidates
from auto_quantize_model.recipes.modelopt_choice import modelopts_choice
from auto_quantize_model.recipes.recipe import Recipe, solve_sources, source_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from auto_quantize_model.cases.settings import RecipeSettings
    from auto_quantize_model.precision.formats import ResolvedFormat
    from auto_quantize_model.recipes.candidates import Candidates
    from auto_quantize_model.run import CaseResult

NAME = "modelopt_choice.json"


@dataclasses.dataclass(frozen=True)
class BesideModelOpt:
    """Both choices for one model."""

    choice: Candidates
    theirs: Mapping[str, str]
    """The pair, or `none`, that ModelOpt's own search gives each group."""
    ours: Recipe | None
    why_not: str | None
    """Why there is no choice of ours; None where there is one."""

    @property
    def their_bits(self) -> float:
        """The effective bits of ModelOpt's choice."""
        return self.choice.effective_bits(self.theirs)

    @property
    def their_predicted_kl(self) -> float | None:
        """The predicted KL of ModelOpt's choice; None where the method predicts none."""
        if self.ours is None:
            return None
        return float(self.choice.predicted[range(len(self.choice.parts)), self.choice.columns(self.theirs)].sum())

    def document(self) -> str:
        """`modelopt_choice.json`."""
        groups = {
            name: {"modelopt": pair, "ours": None if self.ours is None else self.ours.assignment[name]}
            for name, pair in self.theirs.items()
        }
        whole = {
            "model": self.choice.model,
            "size": self.choice.size,
            "modelopt": {"effective_bits": self.their_bits, "predicted_kl": self.their_predicted_kl},
            "ours": self._our_totals(),
            "assignment": groups,
        }
        return json.dumps(whole, indent=2, allow_nan=False) + "\n"

    def _our_totals(self) -> dict[str, Any]:
        if self.ours is None:
            return {"why_not": self.why_not}
        totals = self.ours.solved.totals
        return {"effective_bits": totals.effective_bits, "predicted_kl": totals.predicted_kl}


def beside_modelopt(
    settings: RecipeSettings, results: Sequence[CaseResult], formats: Mapping[str, ResolvedFormat]
) -> BesideModelOpt:
    """Solve ModelOpt's recipe for one model and size, from what its pairs' cases came to."""
    sources = [source_of(each) for each in results]
    budget = checked_budget(settings.budget)  # type: ignore[arg-type]
    ours, why_not = None, None
    if sources[0].manifest["scheme"]["auto_quantize_method"] == "gradient":
        ours = solve_sources(sources, budget, settings.pins, None, settings.spaces)
        choice = ours.choice
    else:
        why_not = "the method kl_div scores whole batches, padding included, and predicts no KL in nats per token"
        choice = candidates(sources, predicted=False)
    return BesideModelOpt(choice, modelopts_choice(choice, formats, budget.value, settings.spaces), ours, why_not)
