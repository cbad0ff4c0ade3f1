"""`per-layer-sensitivity.md`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from auto_quantize_model import quoting
from auto_quantize_model.flags import both_flags
from auto_quantize_model.manifest.older import is_older
from auto_quantize_model.quoting import code
from auto_quantize_model.reports import doubtful, enough_captions, padded_maxima, top_groups
from auto_quantize_model.reports.headline import ranked, sentences
from auto_quantize_model.reports.markdown_table import markdown_table
from auto_quantize_model.reports.rows import rows
from auto_quantize_model.reports.totals import chosen_groups, total_predicted_kl
from auto_quantize_model.stored_bits import describe_stored_bits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

NAME = "per-layer-sensitivity.md"
FIGURE = "per-layer-sensitivity.svg"
"""The figure that the report shows, which lies beside it."""

_NOTHING = "n/a"


def _scientific(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.3e}"


def _plain(value: object) -> str:
    return _NOTHING if value is None else str(value)


def _interval(value: list[float] | None) -> str:
    return _NOTHING if value is None else f"{value[0]:.3e} to {value[1]:.3e}"


def _rank_interval(value: list[int] | None) -> str:
    return _NOTHING if value is None else f"{value[0]} to {value[1]}"


def _text(value: str | None) -> str:
    return _NOTHING if value is None else quoting.markdown(value)


def _texts(values: Sequence[str] | None) -> str:
    return _NOTHING if values is None else ", ".join(map(quoting.markdown, values))


def _share(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.2%}"


def _shares(split: dict[str, float | None] | None) -> str:
    parts = [] if split is None else list(split.values())
    numbers = [part for part in parts if part is not None]
    whole = sum(numbers)
    if not numbers or len(numbers) < len(parts) or whole == 0:
        return _NOTHING
    return " + ".join(f"{part / whole:.1%}" for part in numbers).replace("+ -", "- ")


_QUANTIZED = "Quantized"
_Column = tuple[str, "Callable[[Any], str]", str]
_COLUMNS: dict[str, _Column] = {
    "layer": ("Layer", quoting.markdown, "the first linear layer of a group that shares one precision"),
    "num_bits": ("Num Bits", _plain, "what a weight of the group costs in this format"),
    "sensitivity": ("Sensitivity", _scientific, "ModelOpt's AutoQuantize score: higher hurts more"),
    "size_cost": ("Size Cost", _scientific, "the weights' size in this format, in units of 16 bits"),
    "predicted_kl": (
        "Predicted KL",
        _scientific,
        "the KL divergence, in nats per token, that quantizing only this group is expected to cost",
    ),
    "predicted_kl_ci95": (
        "Predicted KL 95 % Interval",
        _interval,
        "where the predicted KL lies, by bootstrap over captions",
    ),
    "measured_kl": (
        "Measured KL",
        _scientific,
        "the KL divergence, in nats per token, that really quantizing only this group cost",
    ),
    "measured_kl_ci95": ("Measured KL 95 % Interval", _interval, "where the measured KL lies, by the same bootstrap"),
    "stderr": ("Std Error", _scientific, "the standard error of the sensitivity over captions"),
    "calibration_stderr": (
        "Of It Calibration",
        _scientific,
        "its part that comes from the captions that the inputs are calibrated on; `n/a` where that is not known",
    ),
    "ci95": ("95 % Interval", _interval, "where the sensitivity lies, by bootstrap over captions"),
    "rank": ("Rank", _plain, "1 is the least sensitive group"),
    "rank_ci95": ("Rank 95 % Interval", _rank_interval, "where the rank lies, by the same bootstrap"),
    "tie_band": (
        "Band",
        _plain,
        "1 is the least sensitive; the captions do not settle the order of the groups that share a band",
    ),
    "status": (
        "Status",
        _plain,
        "`scored`; or why there is no number: `disabled` is never quantized, `not_covered` cannot be scored, "
        "`not_exercised` saw only zeros, "
        "`non_finite` overflowed; `saturated` hit ModelOpt's clamp",
    ),
    "split": (
        "Weights + Activations + Both",
        _shares,
        "how the sensitivity splits: what the weights alone cost, what the activations alone cost, and what both "
        "together add to that (less than nothing where their errors cancel)",
    ),
    "reason": ("Why Not Covered", _text, "why nothing is known of a group that cannot be scored"),
    "weight_share": ("Share of Weights", _share, "how much of the weights in scope that is"),
    "score_boundary": (
        "Scored At",
        _texts,
        "the modules at whose output ModelOpt scores the group, if not its layers' own",
    ),
    "cost_weight": ("Cost Weight", _plain, "the share of the size that a budget counts, if not all of it"),
}


def render(manifest: Mapping[str, Any]) -> str:
    """The report as text."""
    return "".join(f"{line}\n" for line in _lines(manifest))


def _lines(manifest: Mapping[str, Any]) -> Iterator[str]:
    layers = rows(manifest)
    groups = ranked(layers)
    chosen = chosen_groups(manifest)
    newer = not is_older(manifest)
    yield f"# AutoQuant layer sensitivity ({quoting.markdown(_plain(_at(manifest, 'scheme', 'name')))})"
    yield ""
    yield quoting.markdown(" ".join(sentences(manifest, groups)))
    yield ""
    yield f"![What quantizing each group alone costs, by layer; the tables below have the numbers]({FIGURE})"
    yield ""
    yield "## The groups that matter"
    yield ""
    yield from top_groups.lines(groups, doubts="measured" in manifest, chosen=chosen)
    if "measured" in manifest:
        # The predictions of the first schema are another estimate.
        yield from doubtful.lines(layers)
        yield from padded_maxima.lines(layers)
    if newer and manifest.get("statistics") is not None:
        yield from enough_captions.lines(manifest["statistics"], layers)
    yield ""
    yield "## The whole case"
    yield ""
    yield from _facts(manifest)
    yield ""
    yield from _folded("Every group, with ModelOpt's scores", _whole_table(layers, chosen))


def _folded(title: str, lines: Iterable[str]) -> Iterator[str]:
    """What a reader opens who wants it."""
    yield "<details>"
    yield f"<summary>{title}</summary>"
    yield ""
    yield from lines
    yield ""
    yield "</details>"


def _whole_table(layers: Sequence[Mapping[str, Any]], chosen: Mapping[str, bool]) -> Iterator[str]:
    """The older tool's columns first; then all that newer manifests know of a group."""
    columns = {key: column for key, column in _COLUMNS.items() if _has_column(key, layers)}
    known = [row["layer"] for row in layers if row.get("sensitivity") is not None]
    some_left_out = not all(chosen.get(layer, True) for layer in known)
    titles = [title for title, _, _ in columns.values()]
    for title, _, meaning in columns.values():
        yield f"- **{title}**: {meaning}"
    if some_left_out:
        titles.append(_QUANTIZED)
        yield f"- **{_QUANTIZED}**: whether the search within the budget of bits quantizes the group"
    yield ""
    yield from markdown_table(titles, (_cells(row, columns, chosen if some_left_out else None) for row in layers))


def _cells(row: Mapping[str, Any], columns: Mapping[str, _Column], chosen: Mapping[str, bool] | None) -> Iterator[str]:
    for key, (_, show, _) in columns.items():
        yield show(row.get(key))
    if chosen is not None:
        yield "yes" if chosen.get(row["layer"], False) else "no"


def _has_column(key: str, layers: Sequence[Mapping[str, Any]]) -> bool:
    """What nobody asked to be measured has no column; a line above the table says that it was not measured."""
    if key.startswith("measured_"):
        return any(row.get(key) is not None for row in layers)
    return any(key in row for row in layers)


def _facts(manifest: Mapping[str, Any]) -> Iterator[str]:
    """What the manifest says of the whole; what an older one lacks is left out."""
    newer = not is_older(manifest)
    bits = _at(manifest, "autoquant_state", "constraints", "effective_bits")
    score = _at(manifest, "autoquant_state", "score")
    facts = {
        "Scheme": _at(manifest, "scheme", "name"),
        "Model": _at(manifest, "model", "id"),
        "Case": _at(manifest, "case", "id") if newer else None,
        "Effective bits (from search)": None if bits is None else f"{bits:.4f}",
        "Total AutoQuant score": (_NOTHING if newer else None) if score is None else f"{score:.6e}",
        "Constraint satisfied": _at(manifest, "autoquant_state", "is_satisfied"),
    }
    for title, fact in facts.items():
        if fact is not None:
            yield f"- **{title}:** {code(str(fact))}"
    if newer:
        yield from _run_facts(manifest)


def _at(manifest: Mapping[str, Any], *keys: str) -> Any:
    """What is at a place of the manifest; None where there is no such place."""
    value: Any = manifest
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _run_facts(manifest: Mapping[str, Any]) -> Iterator[str]:
    calibration, engine = manifest["calibration"], manifest["engine"]
    stored = describe_stored_bits(manifest["quantization"]["config"])
    if stored is not None:
        yield (
            f"- **Stored bits:** `{stored}` a weight, where ModelOpt and the search count "
            f"`{manifest['quantization']['effective_bits']:g}`"
        )
    yield f"- **Total predicted KL:** `{_scientific(total_predicted_kl(manifest))}` nats per token{_whole(manifest)}"
    yield from _measured(manifest)
    yield (
        f"- **Calibrated on:** {calibration['calibrated_samples']} captions "
        f"({calibration['calibrated_tokens']} tokens) of {code(manifest['dataset']['name'])}"
    )
    yield f"- **Scored on:** {calibration['scored_samples']} captions ({calibration['loss_tokens']} predicted tokens)"
    name, device, dtype = (code(str(engine[key])) for key in ("name", "device", "dtype"))
    yield f"- **Engine:** {name} on {device} in {dtype}"


def _whole(manifest: Mapping[str, Any]) -> str:
    """What the sum leaves out; nothing where a manifest is of the first schema, or its engine has no probes."""
    whole, interval = _at(manifest, "predicted_kl", "whole"), _at(manifest, "predicted_kl", "whole_ci95")
    if whole is None:
        return ""
    sure = "" if interval is None else f", 95 % interval {_interval(interval)}"
    return f", the sum of the groups; `{_scientific(whole)}` with what their errors do to each other{sure}"


def _measured(manifest: Mapping[str, Any]) -> Iterator[str]:
    """What was really measured; a manifest of the first schema cannot say."""
    if "measured" not in manifest:
        return
    measured = manifest["measured"]
    if measured is None:
        yield f"- **Measured KL:** not measured; {both_flags('measure', 'cases')} measures it"
        return
    captions, sure = measured["captions"], measured["kl_ci95"]
    file = captions["file"]
    where = "the captions that are scored" if file is None else f"{captions['samples']} captions of {code(file)}"
    yield (
        f"- **Measured KL:** `{_scientific(measured['kl'])}` nats per token with every chosen group quantized"
        f"{'' if sure is None else f', 95 % interval {_interval(sure)}'}; on {where} "
        f"({captions['loss_tokens']} predicted tokens)"
    )
    yield (
        f"- **What that does:** the loss changes by `{measured['loss_change']:+.3e}` nats per token; the most probable "
        f"token stays the same for {measured['top1_agreement']:.1%} of them"
    )
