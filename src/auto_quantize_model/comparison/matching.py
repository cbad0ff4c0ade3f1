"""Which groups of two manifests are the same, whatever the names that their tools or models give them."""

from __future__ import annotations

import collections
import dataclasses
from typing import TYPE_CHECKING, Any

from auto_quantize_model.manifest.document import mapping
from auto_quantize_model.manifest.older import canonical_layer
from auto_quantize_model.manifest.schema import RECIPE_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHARING = ({"q_proj", "k_proj", "v_proj"}, {"gate_proj", "up_proj"})
"""Layers that ModelOpt puts into one group, which is named after its first member: an older one may start elsewhere."""


@dataclasses.dataclass(frozen=True, slots=True)
class MatchedGroup:
    """One group that two manifests have."""

    key: str
    """As `layer_sensitivity` has it; the full path where the two name it differently."""
    old: Mapping[str, Any]
    new: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Matching:
    """The groups of two manifests, side by side."""

    both: tuple[MatchedGroup, ...]
    only_old: Mapping[str, Mapping[str, Any]]
    only_new: Mapping[str, Mapping[str, Any]]


def match_groups(old: Mapping[str, Any], new: Mapping[str, Any]) -> Matching:
    """Match groups by their names, then by their full paths, then what is left by a layer that both hold."""
    before, after = mapping(old, "layer_sensitivity"), mapping(new, "layer_sensitivity")
    matched = {name: name for name in before if name in after}
    matched |= _by_path(_without(before, matched), _without(after, matched))
    left_before, left_after = _without(before, matched), _without(after, matched.values())
    by_member = {member: name for name in left_after for member in _members(name, left_after[name])}
    for name in left_before:
        other = next((by_member[each] for each in _members(name, left_before[name]) if each in by_member), None)
        if other is not None and other not in matched.values():
            matched[name] = other
    return Matching(
        both=tuple(MatchedGroup(_key(name, matched[name]), before[name], after[matched[name]]) for name in matched),
        only_old=_without(before, matched),
        only_new=_without(after, matched.values()),
    )


def _by_path(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, str]:
    """The names of the same full path; one that a side has twice, in two styles, says nothing."""
    paths = [collections.Counter(canonical_layer(name) for name in side) for side in (before, after)]
    path_after = {canonical_layer(name): name for name in after}
    return {
        name: path_after[path]
        for name in before
        if (path := canonical_layer(name)) in path_after and paths[0][path] == paths[1][path] == 1
    }


def _members(name: str, entry: Mapping[str, Any]) -> list[str]:
    """The full paths of the layers that a group holds, or may hold where its manifest does not say."""
    path = canonical_layer(name)
    modules = entry.get("modules")
    if isinstance(modules, list) and modules:
        return [canonical_layer(str(each)) for each in modules]
    stem, _, leaf = path.rpartition(".")
    sharing = next((each for each in _SHARING if leaf in each), {leaf})
    return [path, *(f"{stem}.{each}" for each in sorted(sharing - {leaf}) if stem)]


def _key(old: str, new: str) -> str:
    return new if old == new else min(canonical_layer(old), canonical_layer(new)) + RECIPE_SUFFIX


def _without(entries: Mapping[str, Any], names: Any) -> dict[str, Any]:
    taken = set(names)
    return {name: entry for name, entry in entries.items() if name not in taken}
