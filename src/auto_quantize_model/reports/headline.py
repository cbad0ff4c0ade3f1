"""A case in three sentences: what it costs, where, and how sure the order is."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Any

from auto_quantize_model.manifest.coverage import coverage_line
from auto_quantize_model.manifest.document import mapping
from auto_quantize_model.manifest.older import is_older
from auto_quantize_model.reports.places import places
from auto_quantize_model.reports.quantities import digits, nats
from auto_quantize_model.reports.totals import total_predicted_kl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from auto_quantize_model.reports.places import Place

_MOST_NAMED = 4
_HALF = 0.5 - 1e-9
"""Sums are not exact."""


@dataclasses.dataclass(frozen=True, slots=True)
class Ranked:
    """A group beside what it costs."""

    row: Mapping[str, Any]
    place: Place
    cost: float | None
    """In nats per token; the score, which has no unit, where no group of the case has a predicted KL."""


def has_predicted_kl(layers: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the groups' cost is known in nats; an older tool and ModelOpt's own loop give scores alone."""
    return any(row.get("predicted_kl") is not None for row in layers)


def ranked(layers: Sequence[Mapping[str, Any]]) -> list[Ranked]:
    """The rows of a report, the costliest first; what was not measured comes last."""
    key = "predicted_kl" if has_predicted_kl(layers) else "sensitivity"
    each = [
        Ranked(row, place, None if row.get("status") in _NO_NUMBER else row.get(key))
        for row, place in zip(layers, places(layers), strict=True)
    ]
    return sorted(each, key=lambda group: (group.cost is None, -(group.cost or 0.0)))


_NO_NUMBER = ("disabled", "not_covered", "not_exercised", "non_finite")
"""An older manifest has a zero where there was nothing to measure."""


def sentences(manifest: Mapping[str, Any], groups: Sequence[Ranked]) -> list[str]:
    """The three, or those of them that the manifest can say, and what is not covered; as plain text."""
    told = (_cost(manifest), _where(groups), _order(manifest, groups), _left_open(manifest))
    return [sentence for sentence in told if sentence is not None]


def _cost(manifest: Mapping[str, Any]) -> str | None:
    name = pair_name(manifest)
    measured = None if is_older(manifest) else mapping(manifest, "measured").get("kl")
    predicted = None if is_older(manifest) else total_predicted_kl(manifest)
    if measured is not None:
        beside = "" if predicted is None else f" (measured; {nats(predicted)} were predicted)"
        return f"{name} costs {nats(measured)} per token{beside}."
    if predicted is not None:
        return f"{name} is predicted to cost {nats(predicted)} per token; it was not measured."
    score = mapping(manifest, "autoquant_state").get("score")
    return None if score is None else f"{name} has a total score of {digits(score)}, which has no unit."


def pair_name(manifest: Mapping[str, Any]) -> str:
    """The pair of a case; the scheme of a manifest that names no pair."""
    pair = None if is_older(manifest) else mapping(manifest, "case").get("pair")
    return str(pair or mapping(manifest, "scheme").get("name", "unnamed"))


def costliest_half(groups: Sequence[Ranked]) -> list[Ranked]:
    """The fewest groups that have half of what all of them cost."""
    known = [group for group in groups if group.cost]
    whole = sum(group.cost or 0.0 for group in known)
    sums = itertools.accumulate(group.cost or 0.0 for group in known)
    count = next((number for number, part in enumerate(sums, start=1) if part >= _HALF * whole), 0)
    return known[:count]


def _where(groups: Sequence[Ranked]) -> str | None:
    half = costliest_half(groups)
    if not half:
        return None
    known = [group for group in groups if group.cost is not None]
    whole = sum(group.cost or 0.0 for group in known)
    named = listed([group.place.label for group in half[:_MOST_NAMED]])
    if len(half) <= _MOST_NAMED:
        share = sum(group.cost or 0.0 for group in half) / whole
        return f"{share:.0%} of that is in {len(half)} of {len(known)} groups: {named}."
    first = (half[0].cost or 0.0) / whole
    return (
        f"Half of that is in {len(half)} of {len(known)} groups; the costliest are {named}, the first with {first:.0%}."
    )


def _order(manifest: Mapping[str, Any], groups: Sequence[Ranked]) -> str | None:
    statistics = None if is_older(manifest) else manifest.get("statistics")
    if statistics is None:
        return None
    samples, top = statistics["samples"], statistics["top_ten"]
    alone = settled_first([group.row for group in groups])
    if alone == 0:
        order = "do not settle even which group is the most sensitive"
    elif alone == 1:
        order = "settle which group is the most sensitive"
    else:
        order = f"settle the order of the {alone} most sensitive groups"
    if top["between"] is None:
        ten = ""
    elif top["settled"]:
        ten = f", {'and' if alone else 'but'} which ten are the most sensitive"
    else:
        ten = f", {'but not' if alone else 'nor'} which ten are the most sensitive"
    return f"By ModelOpt's score, {samples} captions {order}{ten}."


def _left_open(manifest: Mapping[str, Any]) -> str | None:
    """What nobody knows, where that is anything: it must not be read as harmless."""
    line = None if is_older(manifest) else coverage_line(manifest)
    return None if line is None else f"{line}."


def settled_first(layers: Sequence[Mapping[str, Any]]) -> int:
    """How many of the first groups by score share their band with no other, so that their order is settled."""
    bands = [row["tie_band"] for row in layers if row.get("tie_band") is not None]
    ordered = sorted(bands, reverse=True)
    return sum(1 for _ in itertools.takewhile(lambda band: bands.count(band) == 1, ordered))


def listed(names: Sequence[str]) -> str:
    """In running text: `a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
