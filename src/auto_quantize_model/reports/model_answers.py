"""What one wants to know of a model before anything else, in a sentence each, as Markdown."""

from __future__ import annotations

import collections
import math
from typing import TYPE_CHECKING, Any

from auto_quantize_model.quoting import code, markdown
from auto_quantize_model.reports.enough_captions import is_settled
from auto_quantize_model.reports.headline import costliest_half, listed, ranked
from auto_quantize_model.reports.model_cases import bits, cost, same_at_every_size
from auto_quantize_model.reports.quantities import nats
from auto_quantize_model.reports.rows import rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from auto_quantize_model.reports.model_cases import ModelCases

_NAMED = 5


def answers(cases: ModelCases) -> Iterator[str]:
    """A bullet each; nothing where no case has a predicted KL."""
    if not cases.predicted:
        return
    yield from _cheapest(cases)
    yield from _protect(cases)
    yield from _from_what(cases)
    yield from _settled(cases)
    yield from _same(cases)


def _cheapest(cases: ModelCases) -> Iterator[str]:
    """Of each number of bits that several pairs share, the pair that costs least."""
    by_bits: dict[int, list[str]] = collections.defaultdict(list)
    for pair in cases.by_cost():
        if cost(cases.largest(pair)) is not None:
            by_bits[int(bits(cases.largest(pair)))].append(pair)
    told = []
    for _, pairs in sorted(by_bits.items(), reverse=True):
        first = min(pairs, key=lambda pair: cost(cases.largest(pair)) or 0.0)
        dearest = max(pairs, key=lambda pair: cost(cases.largest(pair)) or 0.0)
        told.append(
            f"at {_bits_of(cases, pairs)} bits {code(first)}, {_how_much(cases.largest(first))}"
            + (f" (the dearest, {code(dearest)}, {_how_much(cases.largest(dearest))})" if dearest != first else "")
        )
    if told:
        yield f"- **Cheapest pair:** {'; '.join(told)}."


def _bits_of(cases: ModelCases, pairs: Sequence[str]) -> str:
    """How many bits the pairs have: the scales of their blocks make some a little dearer."""
    known = sorted({bits(cases.largest(pair)) for pair in pairs})
    return " to ".join(f"{each:g}" for each in dict.fromkeys((known[0], known[-1])))


def _how_much(manifest: Mapping[str, Any]) -> str:
    kind = "predicted" if manifest.get("measured") is None else "measured"
    return f"{nats(cost(manifest) or 0.0)} per token {kind}"


def _protect(cases: ModelCases) -> Iterator[str]:
    """The groups that many pairs have in their costlier half."""
    halves = collections.Counter(
        group.place.label for pair in cases.pairs for group in costliest_half(ranked(rows(cases.largest(pair))))
    )
    firsts = collections.Counter(
        groups[0].place.label for pair in cases.pairs if (groups := ranked(rows(cases.largest(pair))))
    )
    if not halves:
        return
    named = [
        f"**{markdown(name)}** ({count} of {len(cases.pairs)} pairs)" for name, count in halves.most_common(_NAMED)
    ]
    first, count = firsts.most_common(1)[0]
    yield (
        f"- **Protect first:** {listed(named)}: these are most often among the groups that have half of a pair's cost. "
        f"Costliest of all is {markdown(first)}, for {count} of {len(cases.pairs)} pairs."
    )


def _from_what(cases: ModelCases) -> Iterator[str]:
    """Which half of a pair to change: of the scores of all groups, the share that the weights alone have."""
    shares = {pair: _share_of_weights(cases.largest(pair)) for pair in cases.by_cost()}
    told = [f"{code(pair)} {share:.0%}" for pair, share in shares.items() if share is not None]
    if told:
        yield (
            f"- **Weights or activations?** Of the scores, the weights have the share {listed(told)}, the activations "
            "the rest."
        )


def _share_of_weights(manifest: Mapping[str, Any]) -> float | None:
    """None where activations are left as they are, or nothing is known of what they add."""
    splits = [split for row in rows(manifest) if (split := row.get("split")) is not None]
    weights, activations = (math.fsum(each.get(side) or 0.0 for each in splits) for side in ("weights", "activations"))
    return weights / (weights + activations) if activations > 0 else None


def _settled(cases: ModelCases) -> Iterator[str]:
    """At the largest size of each pair."""
    known = {pair: cases.largest(pair).get("statistics") for pair in cases.by_cost()}
    stated = {pair: statistics for pair, statistics in known.items() if statistics is not None}
    if not stated:
        return
    no = [pair for pair, statistics in stated.items() if not is_settled(statistics)]
    captions = listed(sorted({str(statistics["samples"]) for statistics in stated.values()}))
    if not no:
        yield (
            f"- **Is the order settled?** Yes: {captions} scored captions settle which ten groups are the most "
            "sensitive of each pair. How these are ordered among themselves is in each report, and what more captions "
            "to calibrate on would change is not in that."
        )
    else:
        which = "any pair" if len(no) == len(stated) else listed([code(pair) for pair in no])
        yield (
            f"- **Is the order settled?** Not all of it: {captions} scored captions do not settle which ten groups are "
            f"the most sensitive for {which}. Each report says how far the order holds."
        )


def _same(cases: ModelCases) -> Iterator[str]:
    same = same_at_every_size(cases)
    if same:
        yield (
            f"- {listed([code(pair) for pair in same])} say the same at two sizes: both score the same captions, and "
            "these pairs calibrate nothing on captions."
        )
