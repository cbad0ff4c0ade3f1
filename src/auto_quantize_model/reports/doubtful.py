"""The Markdown report's list of predictions that are outside the range in which predictions were found good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auto_quantize_model.quoting import code

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

GOOD_RATIO = (0.67, 1.5)
"""Measured over predicted KL of a prediction that was right."""
_WIDEST = 2.0
"""How far apart the ends of an interval may be, as a ratio."""
_LARGEST = 0.1
"""The nats per token for one group beyond which second order says little."""
_NAMED = 10


def lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """One section, or nothing where there is nothing to doubt."""
    predicted = [row for row in rows if row.get("predicted_kl") is not None]
    doubts = [line for each in (_missed, _wide, _large) for line in each(predicted)]
    if not doubts:
        return
    yield ""
    yield "## Predictions to doubt"
    yield ""
    yield from (f"- {doubt}" for doubt in doubts)


def doubted(row: Mapping[str, Any]) -> list[str]:
    """Why a group's prediction is to be doubted, in a word each; empty where it is not, or where there is none."""
    if row.get("predicted_kl") is None:
        return []
    reasons = {"measured otherwise": _is_missed, "wide interval": _is_wide, "beyond second order": _is_large}
    return [reason for reason, holds in reasons.items() if holds(row)]


def _is_missed(row: Mapping[str, Any]) -> bool:
    measured, predicted = row.get("measured_kl"), row["predicted_kl"]
    return measured is not None and not GOOD_RATIO[0] * predicted <= measured <= GOOD_RATIO[1] * predicted


def _is_wide(row: Mapping[str, Any]) -> bool:
    interval = row.get("predicted_kl_ci95")
    return interval is not None and interval[1] > _WIDEST * interval[0]


def _is_large(row: Mapping[str, Any]) -> bool:
    return bool(row["predicted_kl"] > _LARGEST)


def _missed(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    missed = []
    for row in filter(_is_missed, rows):
        measured, predicted = row["measured_kl"], row["predicted_kl"]
        times = f"{measured / predicted:.2f} times what" if predicted else "more than what"
        missed.append(f"{code(row['layer'])} ({times} was predicted)")
    if missed:
        yield f"Measured otherwise, which the measured KL then tells: {listed(missed)}."


def _wide(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    wide = [code(row["layer"]) for row in rows if _is_wide(row)]
    if wide:
        yield (
            f"{len(wide)} of {len(rows)} predictions have a 95 % interval wider than a factor of two: {listed(wide)}. "
            "More captions narrow it (`autoquant.score_size`), and more probes (`autoquant.probes`)."
        )


def _large(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    large = [code(row["layer"]) for row in rows if _is_large(row)]
    if large:
        yield f"Above {_LARGEST:g} nats a token for one group, which second order cannot tell: {listed(large)}."


def listed(names: Iterable[str]) -> str:
    """In one sentence, at most so many of them."""
    every = list(names)
    more = len(every) - _NAMED
    return ", ".join(every[:_NAMED]) + (f" and {more} more" if more > 0 else "")
