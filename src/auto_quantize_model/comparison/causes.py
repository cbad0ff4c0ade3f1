"""What may have moved the numbers between two manifests, read from what they say: the most likely cause first."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

from auto_quantize_model.comparison.known_causes import CAPTIONS, CONFIG, KNOWN_CAUSES, OTHERS, SAMPLES
from auto_quantize_model.manifest.document import mapping

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from auto_quantize_model.comparison.differences import Difference

_KEYS = {cause.what: cause.keys for cause in KNOWN_CAUSES}
_OF_GROUPS = len(_KEYS[CONFIG]) - 1
"""The formats of each group repeat what the sections above say."""
_OF_SOURCE = ("name", "form", "key", "max_chars")


@dataclasses.dataclass(frozen=True, slots=True)
class Cause:
    """One thing that may have moved the numbers."""

    what: str
    """In words: `the batch size`."""
    differences: tuple[Difference, ...]
    """What the manifests say of it, the most telling first."""

    def __str__(self) -> str:
        """The cause and its foremost difference."""
        return f"{self.what} ({self.differences[0]})"


def causes(differences: Iterable[Difference], old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Cause, ...]:
    """Sort what differs into causes, the most likely first; what only follows from another is not named again."""
    by_cause: dict[str, list[tuple[int, Difference]]] = {}
    for difference in differences:
        if difference.key not in ("case", "case.id"):
            what, position = _place(difference.key)
            by_cause.setdefault(what, []).append((position, difference))
    _drop_what_follows(by_cause, old, new)
    in_order = {what: sorted(by_cause[what], key=_position) for what in _KEYS if what in by_cause}
    return tuple(Cause(what, tuple(difference for _, difference in stated)) for what, stated in in_order.items())


def _place(key: str) -> tuple[str, int]:
    """The cause that a key states, and how telling the key is."""
    for what, patterns in _KEYS.items():
        for position, pattern in enumerate(patterns):
            if re.fullmatch(pattern, key):
                return what, position
    return OTHERS, len(_KEYS[OTHERS])


def _position(stated: tuple[int, Difference]) -> int:
    return stated[0]


def _drop_what_follows(
    by_cause: dict[str, list[tuple[int, Difference]]], old: Mapping[str, Any], new: Mapping[str, Any]
) -> None:
    if _of_one_file(old, new) and _changed(by_cause.get(SAMPLES, ()), "calibration.calibrated_samples"):
        by_cause.pop(CAPTIONS, None)
    for cause in KNOWN_CAUSES:
        if cause.follows & by_cause.keys():
            by_cause.pop(cause.what, None)
    config = by_cause.get(CONFIG, [])
    by_cause[CONFIG] = [stated for stated in config if stated[0] < _OF_GROUPS] or config
    if not by_cause[CONFIG]:
        del by_cause[CONFIG]


def _changed(stated: Sequence[tuple[int, Difference]], key: str) -> bool:
    return any(difference.key == key for _, difference in stated)


def _of_one_file(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether both took captions from one file, or from one file a size: then other captions are only more or fewer."""
    one, other = mapping(old, "dataset"), mapping(new, "dataset")
    alike = all(one.get(key) == other.get(key) for key in _OF_SOURCE)
    return alike and (one.get("captions") == other.get("captions") or _template(old) == _template(new))


def _template(manifest: Mapping[str, Any]) -> str:
    """The name of a manifest's captions, with its size's name left open."""
    captions, size = str(mapping(manifest, "dataset").get("captions")), mapping(manifest, "case").get("size")
    return captions.replace(str(size), "{size}") if size else captions
