"""Where two JSON values differ: the leaves, by their dotted keys."""

from __future__ import annotations

import dataclasses
import enum
import itertools
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LONGEST_VALUE = 32


class Absent(enum.Enum):
    """What stands for a value that one of two documents does not have."""

    ABSENT = "(absent)"


ABSENT: Final = Absent.ABSENT


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """One value that two documents do not have in common."""

    key: str
    """Dotted, with list positions in brackets: `quantization.config.quant_cfg[2].enable`."""
    old: Any
    new: Any

    def __str__(self) -> str:
        """The difference as one short line."""
        return f"{self.key}: {_short(self.old)} -> {_short(self.new)}"


def differences(key: str, old: Any, new: Any) -> Iterator[Difference]:
    """The leaves that differ below a key, the shallow ones first; a list of plain values is one leaf."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        names = {**old, **new}
        inner = [(f"{key}.{name}", old.get(name, ABSENT), new.get(name, ABSENT)) for name in names]
    elif _holds_containers(old) and _holds_containers(new):
        pairs = itertools.zip_longest(old, new, fillvalue=ABSENT)
        inner = [(f"{key}[{index}]", *pair) for index, pair in enumerate(pairs)]
    else:
        if not _same(old, new):
            yield Difference(key, old, new)
        return
    for each in sorted(inner, key=_is_deep):
        yield from differences(*each)


def differences_in(
    keys: Iterable[str], old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = ""
) -> Iterator[Difference]:
    """The leaves that differ below some keys of two mappings."""
    for key in keys:
        yield from differences(prefix + key, old.get(key, ABSENT), new.get(key, ABSENT))


def _is_deep(inner: tuple[str, Any, Any]) -> bool:
    return any(isinstance(value, Mapping | list) for value in inner[1:])


def _holds_containers(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(each, Mapping | list) for each in value)


def _same(old: object, new: object) -> bool:
    return isinstance(old, bool) == isinstance(new, bool) and old == new


def _short(value: object) -> str:
    if isinstance(value, Absent):
        return value.value
    if isinstance(value, Mapping):
        return "{...}" if value else "{}"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
