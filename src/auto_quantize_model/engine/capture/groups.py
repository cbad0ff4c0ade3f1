"""Which linear layers share a precision: ModelOpt's own grouping rules, applied to a loaded model."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import torch

from auto_quantize_model.errors import CaseError, NotCoveredError
from auto_quantize_model.scores import Group

if TYPE_CHECKING:
    from auto_quantize_model.families.loaded import LoadedModel


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """The scored groups of a model, in the model's order, and the head that is never quantized."""

    groups: tuple[Group, ...]
    head: Group


def find_groups(loaded: LoadedModel) -> Layout:
    """Group the language model's linear layers as ModelOpt's `auto_quantize` does."""
    rules = _Rules(loaded)
    members: dict[str, list[tuple[str, torch.nn.Linear]]] = {}
    for name, module in loaded.linears():
        members.setdefault(rules.key(name), []).append((name, module))
    if not members:
        raise CaseError(_why_no_group(loaded))
    groups = tuple(_group(layers) for layers in members.values())
    return Layout(groups, _group([(loaded.head, loaded.model.get_submodule(loaded.head))]))


def check_covered_by_replay(loaded: LoadedModel, layout: Layout) -> None:
    """Refuse a model whose groups ModelOpt scores elsewhere than at their own linear layers."""
    rules = _Rules(loaded)
    for group in layout.groups:
        for member in group.members:
            if rules.scored_elsewhere(member):
                raise NotCoveredError(f"'{member}' is scored at its experts' common output")
    for name, module in loaded.model.named_modules():
        if loaded.in_scope(name) and _other_quantizable(module):
            raise NotCoveredError(f"'{name}' ({type(module).__name__}) is quantized by ModelOpt but is no linear layer")


def _why_no_group(loaded: LoadedModel) -> str:
    other = next(
        (
            f"its weights are in others, such as '{name}' ({type(module).__name__})"
            for name, module in loaded.model.named_modules()
            if loaded.in_scope(name) and _other_quantizable(module)
        ),
        "only its head and what is never quantized",
    )
    return f"the language model has no linear layer to score: {other}; neither engine scores such a model"


def _group(members: list[tuple[str, torch.nn.Linear]]) -> Group:
    return Group(
        members=tuple(name for name, _ in members),
        module_types=tuple(f"Quant{type(module).__name__}" for _, module in members),
        weights=sum(module.weight.numel() for _, module in members),
    )


def _other_quantizable(module: torch.nn.Module) -> bool:
    from modelopt.torch.quantization.nn import QuantModuleRegistry

    if isinstance(module, torch.nn.Linear | torch.nn.Embedding):
        return False
    # Stacked experts join ModelOpt's registry only when it meets them, so they are known by their shape.
    least = 2 if type(module) in QuantModuleRegistry else 3
    return any(parameter.dim() >= least for parameter in module.parameters(recurse=False))


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

    def scored_elsewhere(self, name: str) -> bool:
        rules = self._searcher.score_module_rules
        return any(self._searcher._apply_score_group_rule(name, rule) is not None for rule in rules)
