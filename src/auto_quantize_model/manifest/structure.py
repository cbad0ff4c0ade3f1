"""The structure of a JSON value: keys and types, without the values. Snapshots hold it; numbers they do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MAPS = {"layers": "<layer>", "layer_sensitivity": "<group>"}
"""Mappings of a manifest whose keys are names of the model, not of the schema."""
_MEASURED = "measured"
"""What the keys begin with that have a value only where a run was asked to measure."""
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}

Structure = dict[str, Any] | list[Any] | str
"""A mapping's keys (`key?` where not every member has it), a list's one element, or types joined by `|`."""


def manifest_structure(manifest: Mapping[str, Any]) -> dict[str, Structure]:
    """A manifest's structure: lists, and mappings keyed by layer or group, collapsed to the union of their members.

    What was measured is left out: it is there where somebody asked for it.
    """
    return {
        key: {_MAPS[key]: _union(structure(_asked_of_all(inner)) for inner in value.values())}
        if key in _MAPS
        else structure(value)
        for key, value in _asked_of_all(manifest).items()
    }


def _asked_of_all(value: Mapping[str, Any]) -> dict[str, Any]:
    return {key: inner for key, inner in value.items() if not key.startswith(_MEASURED)}


def structure(value: object) -> Structure:
    """The structure of one JSON value."""
    if isinstance(value, dict):
        return {str(key): _TYPES.get(type(inner)) or structure(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_union(_TYPES.get(type(inner)) or structure(inner) for inner in value)] if value else []
    return _TYPES[type(value)]


def _union(structures: Iterable[Structure]) -> Structure:
    """One structure for all; members of different kinds are listed together."""
    distinct: list[Structure] = []
    for member in structures:
        if member not in distinct:
            distinct.append(member)
    if len(distinct) == 1:
        return distinct[0]
    mappings = [member for member in distinct if isinstance(member, dict)]
    lists = [member for member in distinct if isinstance(member, list)]
    plain = sorted({part for member in distinct if isinstance(member, str) for part in member.split(" | ")})
    kinds: list[Structure] = [" | ".join(plain)] if plain else []
    if lists:
        inner = [element for members in lists for element in members]
        kinds.append([_union(inner)] if inner else [])
    if mappings:
        kinds.append(_union_of_mappings(mappings))
    return kinds[0] if len(kinds) == 1 else {"<one of>": kinds}


def _union_of_mappings(mappings: list[dict[str, Any]]) -> dict[str, Structure]:
    names = dict.fromkeys(key.removesuffix("?") for mapping in mappings for key in mapping)
    result: dict[str, Structure] = {}
    for name in names:
        having = [mapping[key] for mapping in mappings for key in (name, f"{name}?") if key in mapping]
        always = all(name in mapping for mapping in mappings)
        result[name if always else f"{name}?"] = _union(having)
    return result
