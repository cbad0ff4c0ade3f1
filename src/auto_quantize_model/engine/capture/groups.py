"""Which modules share a precision and where they are scored: ModelOpt's own rules, applied to a loaded model."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from auto_quantize_model.errors import CaseError
from auto_quantize_model.precision.conversion import Matrices, structure
from auto_quantize_model.scores import Group

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auto_quantize_model.families.loaded import LoadedModel


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """The groups of a model, in the model's order, and what is never quantized."""

    groups: tuple[Group, ...]
    """What ModelOpt's search quantizes."""
    head: Group
    left_out: tuple[tuple[Group, str], ...] = ()
    """The other weight matrices in scope, with the reason why nothing is known of them."""


def find_groups(loaded: LoadedModel) -> Layout:
    """Group the language model's weights as ModelOpt's `auto_quantize` does; what it leaves alone is told apart."""
    rules = _Rules(loaded)
    members: dict[str, list[Matrices]] = {}
    left_out = []
    for found in structure(loaded.model, loaded.in_scope):
        if found.quantizable:
            members.setdefault(rules.key(found.name), []).append(found)
        else:
            alone = Group((found.name,), (found.module_type,), found.weights)
            left_out.append((alone, f"ModelOpt does not quantize {found.module_type}"))
    if not members:
        raise CaseError(_why_no_group(left_out))
    groups = tuple(_group(layers, rules) for layers in members.values())
    head = _group([Matrices(loaded.head, loaded.model.get_submodule(loaded.head))], None)
    return Layout(groups, head, tuple(left_out))


def _why_no_group(left_out: Sequence[tuple[Group, str]]) -> str:
    other = "only its head and what is never quantized"
    if left_out:
        group, reason = left_out[0]
        other = f"its weights are in others, such as '{group.name}': {reason}"
    return f"the language model has nothing that can be scored: {other}; neither engine scores such a model"


def _group(members: Sequence[Matrices], rules: _Rules | None) -> Group:
    names = tuple(each.name for each in members)
    scored_at = names if rules is None else tuple(dict.fromkeys(map(rules.scored_at, names)))
    plain = scored_at == names and all(each.is_linear for each in members)
    return Group(
        members=names,
        module_types=tuple(each.quantized_type for each in members),
        weights=sum(each.weights for each in members),
        scored_at=() if plain else scored_at,
    )


class _Rules:
    """ModelOpt's rules, asked of ModelOpt itself: they change between its versions."""

    def __init__(self, loaded: LoadedModel) -> None:
        from modelopt.torch.quantization.algorithms import AutoQuantizeGradientSearcher

        self._searcher: Any = AutoQuantizeGradientSearcher()
        self._searcher.model = loaded.model

    def key(self, name: str) -> str:
        for rule in self._searcher.quant_grouping_rules:
            key = self._searcher._apply_quant_group_rule(name, rule)
            if key is not None:
                return str(key)
        return name

    def scored_at(self, name: str) -> str:
        """The module at whose output a member's quantization is scored."""
        for rule in self._searcher.score_module_rules:
            where = self._searcher._apply_score_group_rule(name, rule)
            if where is not None:
                return str(where)
        return name
