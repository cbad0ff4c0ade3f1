"""What a group's bits count for in a budget: ModelOpt's own cost models, asked of ModelOpt."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from auto_quantize_model.engine.capture.groups import Layout
from auto_quantize_model.errors import CaseError, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from auto_quantize_model.cases.settings import AutoQuantSettings
    from auto_quantize_model.scores import Group


def with_costs(layout: Layout, model: Any, autoquant: AutoQuantSettings) -> Layout:
    """The same groups, knowing what their bits count for."""
    weight_of = _cost_weights(model, autoquant)

    def costed(group: Group) -> Group:
        return dataclasses.replace(group, cost_weight=weight_of(group.members))

    return Layout(
        groups=tuple(map(costed, layout.groups)),
        head=costed(layout.head),
        left_out=tuple((costed(group), reason) for group, reason in layout.left_out),
    )


def _cost_weights(model: Any, autoquant: AutoQuantSettings) -> Callable[[Sequence[str]], float]:
    """What tells a group's share of its bits that is counted, from the names of its modules."""
    if autoquant.cost_model == "weight" and not autoquant.cost_excluded_layers:
        return lambda _: 1.0
    from modelopt.torch.quantization import _auto_quantize_cost as costs

    asked: dict[str, Any] = {costs.EXCLUDED_MODULE_NAME_PATTERNS_KEY: list(autoquant.cost_excluded_layers)}
    if autoquant.active_expert_ratio is not None and autoquant.cost_model == "active_moe":
        asked[costs.ACTIVE_MOE_EXPERT_RATIO_KEY] = autoquant.active_expert_ratio
    cost_model = costs.get_auto_quantize_cost_model(autoquant.cost_model)
    try:
        constraints = cost_model.normalize_cost_constraints(model, asked)
    except ValueError as error:
        raise CaseError(
            f"autoquant.cost_model {autoquant.cost_model} is refused by ModelOpt: {one_line(error)}; "
            "set autoquant.active_expert_ratio to the share of the experts that work for a token"
        ) from None
    return lambda names: float(cost_model.module_cost_weight(names, constraints))
