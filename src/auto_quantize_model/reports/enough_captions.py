"""The Markdown report's answer to whether there were enough captions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auto_quantize_model.quoting import code
from auto_quantize_model.reports.doubtful import listed
from auto_quantize_model.reports.markdown_table import markdown_table_without_ends

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_NOTHING = "n/a"
_COLUMNS = ("Captions", "Score Off", "Predicted KL Off", "Spearman", "Top Ten Kept")


def lines(statistics: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The answer for the top ten and, folded, how the scores settled as captions came in."""
    yield ""
    yield "## Were the captions enough?"
    yield ""
    yield " ".join([answer(statistics), *_to_calibrate_on(rows)])
    yield ""
    yield "<details>"
    yield "<summary>How the scores settled</summary>"
    yield ""
    yield (
        "What the first captions alone would have said, against all of them: how far off the score per caption and the "
        "predicted KL per token are (median and maximum over groups), the rank correlation, and how many of the ten "
        "most sensitive groups are the same. The longer a prefix, the more captions it shares with the whole."
    )
    yield ""
    yield from markdown_table_without_ends(_COLUMNS, map(_cells, statistics["convergence"]))
    yield ""
    yield "</details>"


def is_settled(statistics: Mapping[str, Any]) -> bool:
    """Whether the captions settle which ten groups are the most sensitive; where there are no more, they all are."""
    top = statistics["top_ten"]
    return top["between"] is None or bool(top["settled"])


def answer(statistics: Mapping[str, Any]) -> str:
    """Whether the ten most sensitive groups are settled, in one sentence."""
    top, samples = statistics["top_ten"], statistics["samples"]
    if top["between"] is None:
        return f"Yes: {top['reason']}, so every group is among the ten most sensitive."
    inside, outside = map(code, top["between"])
    level = f"{100 * statistics['level']:.0f} %"
    needed = top["captions_needed"]
    if top["settled"]:
        return f"Yes: {samples} captions settle the ten most sensitive groups at {level}."
    if needed is None:
        return (
            f"No, and no number of captions is known to do so: {inside} is among the ten most sensitive groups and "
            f"{outside} is not, but they have the same score."
        )
    # No number of captions is named: from one size to the next it changed tenfold, in both directions.
    return (
        f"No: {samples} captions do not settle the ten most sensitive groups at {level}; the order of {inside} and "
        f"{outside} is the last that more would settle (`autoquant.score_size`, and a larger size of the dataset)."
    )


def _to_calibrate_on(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Where other captions to calibrate on would move a score by more than other captions to score on."""
    shares = [(row["layer"], row["calibration_stderr"], row["stderr"]) for row in rows if "calibration_stderr" in row]
    known = [each for each in shares if None not in each]
    # Of a variance, more than a half.
    moved = [code(layer) for layer, share, whole in known if 2 * share**2 > whole**2]
    if moved:
        yield (
            f"The scores of {len(moved)} of {len(shares)} groups depend more on the captions that inputs are "
            "calibrated on than on those that are scored: a larger size of the dataset calibrates on more. They are "
            f"{listed(moved)}."
        )
    unknown = len(shares) - len(known)
    if unknown:
        yield (
            f"It is not known how much the scores of {unknown} of {len(shares)} groups depend on the captions that "
            "inputs are calibrated on."
        )


def _cells(prefix: Mapping[str, Any]) -> Iterator[str]:
    yield str(prefix["samples"])
    yield _spread(prefix["score"])
    yield _spread(prefix["predicted_kl"])
    yield _NOTHING if prefix["spearman"] is None else f"{prefix['spearman']:.4f}"
    yield str(prefix["top_ten_kept"])


def _spread(spread: Mapping[str, float] | None) -> str:
    return _NOTHING if spread is None else f"{100 * spread['median']:.1f} % / {100 * spread['maximum']:.1f} %"
