"""Where in the model a group is: in which layer, and of what kind, in words that a person would use."""

from __future__ import annotations

import dataclasses
import functools
import re
from typing import TYPE_CHECKING, Any

from auto_quantize_model.reports.rows import short_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_LAYER = re.compile(r"(?:^|\.)([0-9]{1,6})\.")
"""The first number of a path is that of the layer; what follows are numbers of experts."""
_SUFFIXES = ("_proj", "_linear")
_EXPERTS = "experts"
_LONGEST = 48


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Of one group."""

    depth: int | None
    """The number of its layer; None for what stands in no layer, such as a head."""
    kind: str
    """What the groups of every layer that do the same job share: `q+k+v`, `down`."""
    expert: str = ""
    """Its number, where each expert of a layer is a group of its own."""

    @property
    def label(self) -> str:
        """As one says it: `layer 2 down`."""
        if self.depth is None:
            return self.kind
        return f"layer {self.depth} {self.kind}{self.expert and f' {self.expert}'}"


def places(rows: Iterable[Mapping[str, Any]]) -> list[Place]:
    """The place of each row of a report, in the order of the rows."""
    found = [_place(row["layer"], tuple(row.get("modules") or (row["layer"],))) for row in rows]
    parents: dict[str, set[str]] = {}
    for parent, place in found:
        parents.setdefault(place.kind, set()).add(parent)
    return [
        dataclasses.replace(place, kind=f"{parent} {place.kind}") if parent and len(parents[place.kind]) > 1 else place
        for parent, place in found
    ]


# Every case of a model has the same groups.
@functools.lru_cache(maxsize=1 << 16)
def _place(name: str, modules: tuple[str, ...]) -> tuple[str, Place]:
    """Where a group is, and below which part of its layer: two parts may have layers of the same names."""
    layer = _LAYER.search(name)
    if layer is None:
        return "", Place(None, _shortened(short_name(name)))
    *above, _ = name[layer.end() :].split(".")
    parent = ".".join(part for part in above if not part.isdecimal())
    experts = _EXPERTS in above
    kind = "+".join(_leaves(modules))
    kind = _shortened(f"{_EXPERTS} {kind}" if experts else kind)
    # All experts of a layer may be one group, which is then named after the first of them.
    alone = experts and len({_between(each, layer.end()) for each in modules}) == 1
    expert = next((part for part in above if part.isdecimal()), "") if alone else ""
    return "" if experts else parent, Place(int(layer[1]), kind, expert)


def _between(name: str, start: int) -> str:
    return name[start:].rpartition(".")[0]


def _leaves(modules: Sequence[str]) -> list[str]:
    """The last parts of the members' names, each once; a number says too little without what it is a number of."""
    leaves: dict[str, None] = {}
    for module in modules:
        parts = module.split(".")
        leaf = parts[-1] if not parts[-1].isdecimal() else ".".join(parts[-2:])
        for suffix in _SUFFIXES:
            leaf = leaf.removesuffix(suffix)
        leaves[leaf] = None
    return list(leaves)


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
