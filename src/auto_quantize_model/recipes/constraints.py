"""What a recipe must keep to: pins, the pairs that a group may choose from, and what the runtime can run."""

from __future__ import annotations

import dataclasses
import fnmatch
from typing import TYPE_CHECKING

import numpy as np

from auto_quantize_model.errors import InputError, nearest
from auto_quantize_model.recipes.candidates import NONE, tied

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from auto_quantize_model.cases.settings import RuntimeSettings, SearchSpace
    from auto_quantize_model.recipes.candidates import Candidates, Part


@dataclasses.dataclass(frozen=True, slots=True)
class Pin:
    """Groups that get one pair, or none, whatever the budget."""

    pattern: str
    """Of the names of groups or of their modules, with `*` and `?`."""
    pair: str


def parse_pin(text: str) -> Pin:
    """A pin as it is written: `PATTERN=PAIR`."""
    pattern, equals, pair = text.partition("=")
    if not (pattern and equals and pair):
        raise InputError(f"a pin is written PATTERN=PAIR, for example '*.0.*={NONE}', not '{text}'")
    return Pin(pattern, pair)


def constrained(
    choice: Candidates, pins: Sequence[Pin], runtime: RuntimeSettings | None, spaces: Sequence[SearchSpace] = ()
) -> Candidates:
    """With only the choices that pins, search spaces and the runtime leave."""
    if runtime is not None:
        choice = _servable(choice, runtime)
    keep = within_spaces(choice, spaces)
    for pin in pins:
        rows, column = _pinned(choice, pin)
        keep[rows] = False
        keep[rows, column] = True
    choice = choice.restricted(keep)
    for part, row in zip(choice.parts, choice.predicted, strict=True):
        if not np.isfinite(row).any():
            raise InputError(
                f"{part.name} is pinned to a pair that it was not measured with, to two, or to one outside of its "
                "search space; change a pin"
            )
    return choice


def within_spaces(choice: Candidates, spaces: Sequence[SearchSpace]) -> NDArray[np.bool_]:
    """Which pairs the search spaces leave to each part: a row a part, a column a pair."""
    keep = np.ones(choice.predicted.shape, dtype=bool)
    for row, part in enumerate(choice.parts):
        space = _space_of(part, spaces)
        if space is None:
            continue
        keep[row] = [pair in space.pairs for pair in choice.pairs]
        # What no pair of the space quantizes stays as it is, whatever the space says.
        keep[row, -1] = space.allow_none or not np.isfinite(choice.predicted[row][keep[row]]).any()
    return keep


def _space_of(part: Part, spaces: Sequence[SearchSpace]) -> SearchSpace | None:
    """The first space that a part is in; one that it is in with some of its modules only is a mistake."""
    for space in spaces:
        outside = [name for name in part.modules if not any(fnmatch.fnmatch(name, each) for each in space.modules)]
        if not outside:
            return space
        if len(outside) < len(part.modules):
            raise InputError(
                f"the search space of {', '.join(space.modules)} has some of the modules that share a format, but not "
                f"{outside[0]}: let its patterns name all or none of {', '.join(part.modules)}"
            )
    return None


def _pinned(choice: Candidates, pin: Pin) -> tuple[list[int], int]:
    if pin.pair not in choice.pairs:
        raise InputError(f"the pin '{pin.pattern}={pin.pair}' names no pair; {nearest(pin.pair, choice.pairs)}")
    rows = [row for row, part in enumerate(choice.parts) if _matches(part, pin.pattern)]
    if not rows:
        names = [part.name for part in choice.parts]
        raise InputError(
            f"the pin '{pin.pattern}={pin.pair}' matches none of the {len(names)} groups, such as {names[0]}"
        )
    return rows, choice.pairs.index(pin.pair)


def _matches(part: Part, pattern: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for name in (*part.names, *part.modules))


def _servable(choice: Candidates, runtime: RuntimeSettings) -> Candidates:
    """What a runtime can run: its pairs only, and one format for what it runs as one."""
    for pair in choice.pairs[:-1]:
        if pair not in runtime.pairs:
            served = ", ".join(runtime.pairs)
            reason = runtime.refused.get(pair, "it is not among the formats that the profile lists")
            raise InputError(
                f"{runtime.name} cannot serve '{pair}': {reason}; it serves {served}. "
                f"The nearest: {_nearest_pair(pair, tuple(runtime.pairs))}"
            )
    if not runtime.mixes and len(choice.sources) > 1:
        best = choice.pairs[int(choice.predicted[:, :-1].sum(axis=0).argmin())]
        raise InputError(
            f"{runtime.name} does not mix formats ({runtime.mixes_source}); give one pair, for example --pairs {best}"
        )
    return tied(choice, _fused(choice, runtime))


def _nearest_pair(pair: str, served: Sequence[str]) -> str:
    """The pair of the same weights, or else of the same activations."""
    weight, _, activation = pair.partition("_")
    same = [each for each in served if each.startswith(f"{weight}_")]
    return (same or [each for each in served if each.endswith(f"_{activation}")] or list(served))[0]


def _fused(choice: Candidates, runtime: RuntimeSettings) -> list[list[int]]:
    """The rows that must share a format, each row once, in order."""
    owner: dict[tuple[str, int], int] = {}
    group_of = list(range(len(choice.parts)))
    for row, part in enumerate(choice.parts):
        for module in part.modules:
            parent, _, leaf = module.rpartition(".")
            for number, fused in enumerate(runtime.fused):
                if leaf in fused:
                    group_of[row] = group_of[owner.setdefault((parent, number), row)]
    rows: dict[int, list[int]] = {}
    for row, group in enumerate(group_of):
        rows.setdefault(group, []).append(row)
    return list(rows.values())
