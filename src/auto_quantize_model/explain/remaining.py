"""What a run still has different from a baseline when everything is set back that can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auto_quantize_model.comparison.known_causes import FACTS
from auto_quantize_model.explain.causes import UntestedCause, stated

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_LIKELIHOOD = {fact.name: position for position, fact in enumerate(FACTS)}
_SHA256_DIGITS = 64


def remaining_differences(
    baseline: Mapping[str, Any], manifest: Mapping[str, Any], untested: Collection[str]
) -> Iterator[UntestedCause]:
    """The differences that no setting undoes; `untested` names the facts that could not be set back."""
    for fact in FACTS:
        old, new = stated(baseline, *fact.stated), stated(manifest, *fact.stated)
        if fact.cannot is not None and old is not None and old != new and fact.follows.isdisjoint(untested):
            yield UntestedCause(fact.name, _short(old), _short(new), fact.cannot)


def likelihood(untested: UntestedCause) -> int:
    """Where a difference stands among the likely causes; 0 is the most likely."""
    return _LIKELIHOOD.get(untested.name, len(_LIKELIHOOD))


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {inner}" for key, inner in value.items())
    text = str(value)
    return text[:12] if len(text) == _SHA256_DIGITS else text
