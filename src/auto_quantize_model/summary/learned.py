"""What somebody who sees a session for the first time learns from it: what each pair costs, and what to protect."""

from __future__ import annotations

import collections
import itertools
import math
from typing import TYPE_CHECKING

from auto_quantize_model.reports.aligned_table import aligned_table
from auto_quantize_model.reports.headline import listed
from auto_quantize_model.reports.quantities import digits, engineering, nats
from auto_quantize_model.reports.rows import short_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auto_quantize_model.summary.record import Record

_NOTHING = "-"
_BAR = 12
_NAMED = 3


def learned(ran: Sequence[Record], more: str, *, blocks: bool = True) -> Iterator[str]:
    """A line a pair, and below them what they come to; `more` is the option that shows every number.

    `blocks` is whether the terminal can show a bar of blocks.
    """
    if not ran:
        return
    yield from _table(ran, "█" if blocks else "#")
    if any(_kl(record) is not None for record in ran):
        yield ""
        yield from _meanings(ran)
        for model in dict.fromkeys(record.model for record in ran):
            yield from _advice([record for record in ran if record.model == model])
    yield f"{more} shows scores, ratios and times of every case"


def _table(ran: Sequence[Record], block: str) -> Iterator[str]:
    lines = [_together(its) for _, its in itertools.groupby(ran, key=lambda record: (record.model, record.pair))]
    lines_of_cases = list(itertools.chain.from_iterable(lines))
    costs = [kl for kl in map(_kl, ran) if kl]
    moved = any(record.worst_group is not None and record.verdict != "identical" for record in ran)
    titles = ["case", "verdict", "bits", "KL", "", "costliest first"] + (["total", "moved most"] if moved else [])
    rows = [_row(each, costs, block, moved=moved) for each in lines_of_cases]
    yield from aligned_table([titles, *rows], (2, 3))


def _together(records: Iterator[Record]) -> list[list[Record]]:
    """The sizes of a pair that came to the same, which share a line."""
    alike: dict[tuple[str, str | None, str], list[Record]] = collections.defaultdict(list)
    for record in records:
        unmoved = record.verdict == "identical" or record.worst_group is None
        alike[(record.verdict, record.published, record.outcome) if unmoved else (record.case, "", "")].append(record)
    return list(alike.values())


def _row(records: Sequence[Record], costs: Sequence[float], block: str, *, moved: bool) -> list[str]:
    last = records[-1]
    name = last.case
    if len(records) > 1:
        name = f"{last.case.removesuffix(f'-{last.size}')} {'+'.join(record.size for record in records)}"
    kl = _kl(last)
    cells = [
        name,
        verdict(last),
        _NOTHING if last.bits is None else f"{last.bits:g}",
        _NOTHING if kl is None else engineering(kl),
        _bar(kl, costs, block),
        listed(last.costliest[:_NAMED]) if last.costliest else _NOTHING,
    ]
    if moved:
        worst = _NOTHING if last.worst_group is None else f"{ratio(last.worst_ratio)} {short_name(last.worst_group)}"
        cells += [ratio(last.total_ratio), worst]
    return cells


def verdict(record: Record) -> str:
    """The verdict, and what else became of the case."""
    parts = [record.verdict]
    if record.published:
        parts.append(record.published)
    if record.outcome in ("failed", "error") and record.verdict not in ("failed", "drift", "incomparable", "new"):
        parts.append(record.outcome)
    return ", ".join(parts)


def ratio(value: float | None) -> str:
    """A number as a multiple of the baseline's."""
    return _NOTHING if value is None else f"x{value:.4f}"


def _kl(record: Record) -> float | None:
    return record.total_predicted_kl if record.measured_kl is None else record.measured_kl


def _bar(kl: float | None, costs: Sequence[float], block: str) -> str:
    """How dear a pair is among those of the session, on a logarithmic scale; the cheapest has the shortest bar."""
    if not kl or min(costs) == max(costs):
        return ""
    share = math.log(kl / min(costs)) / math.log(max(costs) / min(costs))
    return block * (1 + round(share * (_BAR - 1)))


def _meanings(ran: Sequence[Record]) -> Iterator[str]:
    measured = [record.measured_kl is not None for record in ran]
    some = "measured where it was asked for, else predicted" if any(measured) else "predicted"
    how = "measured" if all(measured) else some
    yield f"KL: how far quantizing every group moves the model's predictions, in nats per token ({how});"
    yield "m is a thousandth, µ a millionth. The bar is logarithmic. Bits: of a weight, as ModelOpt counts them."


def _advice(ran: Sequence[Record]) -> Iterator[str]:
    """Of one model: the cheapest pair of each width, the groups to protect, and sizes that could not differ."""
    model = ran[0].model
    last: dict[str, Record] = {}
    for record in sorted(ran, key=lambda each: each.captions):
        if _kl(record) is not None:
            last[record.pair] = record
    widths: dict[int, list[Record]] = collections.defaultdict(list)
    for record in last.values():
        if record.bits is not None:
            widths[int(record.bits)].append(record)
    cheapest = [
        f"{first.pair} at {first.bits:g} bits ({nats(_kl(first) or 0.0)})"
        for _, its in sorted(widths.items(), reverse=True)
        for first in [min(its, key=lambda each: _kl(each) or 0.0)]
        if len(its) > 1
    ]
    if cheapest:
        yield f"{model}: cheapest {listed(cheapest)}"
    protect = collections.Counter(group for record in last.values() for group in record.costliest)
    if protect:
        named = [f"{group} ({count} of {len(last)} pairs)" for group, count in protect.most_common(_NAMED)]
        yield f"{model}: protect first {listed(named)}"
    same = [pair for pair in last if _has_twins([record for record in ran if record.pair == pair])]
    if same:
        yield f"{model}: two sizes show the same KL for {listed(same)}:"
        yield "  they score the same captions, and more captions calibrate nothing of these pairs"


def _has_twins(records: Sequence[Record]) -> bool:
    known = [record.total_predicted_kl for record in records if record.total_predicted_kl is not None]
    return len({digits(each, 12) for each in known}) < len(known)
