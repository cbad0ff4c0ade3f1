"""`recipe.md`: the recipe as a person reads it; what is wrong with it comes first."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING

import numpy as np

from auto_quantize_model.pictures import recipe_figure
from auto_quantize_model.quoting import markdown
from auto_quantize_model.recipes.open_groups import more_captions
from auto_quantize_model.recipes.solving import NEGLIGIBLE
from auto_quantize_model.reports.committed_recipes import SETTLED
from auto_quantize_model.reports.markdown_table import markdown_table
from auto_quantize_model.statistics.unsettled import TIMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auto_quantize_model.recipes.open_groups import OpenGroup
    from auto_quantize_model.recipes.proof import Proof
    from auto_quantize_model.recipes.recipe import Recipe

MOST_UNSETTLED = 20
_FRONT_ROWS = 12
_MOST_DECIDING = 3
_QUOTED = 40
"""How many characters of a caption are quoted."""
_OFF = 0.2
"""How far a predicted KL may be from the measured one before that is said at once."""


def render_recipe(recipe: Recipe, proof: Proof | None) -> str:
    """The whole page."""
    return "\n".join(_lines(recipe, proof)) + "\n"


def verdict(recipe: Recipe, proof: Proof | None) -> str:
    """One line: whether the recipe is worth having."""
    totals = recipe.solved.totals
    if proof is None:
        return "Not proved: nothing was measured. `--verify` quantizes the model by it and measures."
    beaten = proof.beaten_by(totals.effective_bits)
    kl = proof.measured["kl"]
    if beaten is not None:
        return (
            f"**Do not use this recipe:** `{beaten.name}` alone has a measured KL of {beaten.kl:.3g} at "
            f"{beaten.effective_bits:.3g} bits, the recipe {kl:.3g} at {totals.effective_bits:.3g}."
        )
    line = f"Measured KL {kl:.3g} nats per token, predicted {totals.predicted_kl:.3g}."
    if kl > 0 and abs(totals.predicted_kl / kl - 1) > _OFF:
        return f"{line} The prediction is off by more than {_OFF:.0%}: trust the measurement."
    return line


def _lines(recipe: Recipe, proof: Proof | None) -> Iterator[str]:
    choice, totals = recipe.choice, recipe.solved.totals
    yield f"# {choice.model} within {recipe.budget}"
    yield ""
    yield verdict(recipe, proof)
    yield ""
    yield f"![{recipe_figure.MEANING}]({recipe_figure.NAME})"
    yield ""
    yield from markdown_table(("", ""), _facts(recipe))
    yield ""
    if proof is not None:
        yield from _compared(proof, totals.effective_bits)
    yield from _how_to_use(recipe)
    yield from _front(recipe)
    yield from _stability(recipe)
    yield from _left_out(recipe)
    yield "## Every group"
    yield ""
    yield from markdown_table(("Group", "Pair", "Predicted KL", "Chosen in"), _groups(recipe))


def _facts(recipe: Recipe) -> Iterator[tuple[str, str]]:
    totals, choice = recipe.solved.totals, recipe.choice
    yield "Effective bits of the scored weights", f"{totals.effective_bits:.4g}"
    yield (
        "Whole checkpoint, scales of blocks and unquantized parts (at 16 bits) counted",
        f"{totals.gigabytes:.4g} GB",
    )
    yield "Predicted KL, nats per token", _with_interval(totals.predicted_kl, totals.ci95)
    if totals.whole is not None:
        yield "The same with what errors do to each other (noisier)", _with_interval(totals.whole, totals.whole_ci95)
    gap = recipe.solved.gap
    yield "No other choice is predicted better by more than", f"{gap:.2g}" if gap > NEGLIGIBLE else "0 (proved)"
    yield "Chosen from", ", ".join(f"`{pair}`" for pair in choice.pairs)
    if recipe.runtime is not None:
        yield "For", recipe.runtime.name
    if recipe.pins:
        yield "Pinned", ", ".join(f"`{pin}`" for pin in recipe.pins)


def _compared(proof: Proof, bits: float) -> Iterator[str]:
    measured = proof.measured
    captions = measured["captions"]
    yield "## Measured"
    yield ""
    yield (
        f"On {captions['samples']} captions that neither scored nor calibrated ({captions['loss_tokens']} tokens): "
        f"KL {_with_interval(measured['kl'], measured['kl_ci95'])} nats per token, loss "
        f"{measured['loss_change']:+.3g}, the first choice stays for {measured['top1_agreement']:.1%} of the tokens."
    )
    yield ""
    rows = [("this recipe", f"{bits:.4g}", f"{measured['kl']:.4g}", "1")]
    rows += [
        (
            f"`{each.name}` alone" if each.is_pair else each.name,
            f"{each.effective_bits:.4g}",
            f"{each.kl:.4g}",
            f"{each.ratio:.3g} ({each.ratio_ci95[0]:.3g} to {each.ratio_ci95[1]:.3g})",
        )
        for each in proof.compared
    ]
    yield from markdown_table(("", "Bits", "Measured KL", "Times this recipe's"), rows)
    yield ""


def _how_to_use(recipe: Recipe) -> Iterator[str]:
    yield "## Use it"
    yield ""
    yield "```python"
    yield "import modelopt.torch.quantization as mtq"
    yield "from auto_quantize_model import read_quant_cfg"
    yield ""
    yield 'mtq.quantize(model, read_quant_cfg("quant_cfg.json"), forward_loop)'
    yield "```"
    yield ""
    if recipe.runtime is not None:
        runtime = recipe.runtime
        methods = sorted({f"`{source.pair}`: {runtime.pairs[source.pair].method}" for source in recipe.used})
        yield f"{runtime.name} runs {', '.join(methods)}. That it may mix them: {runtime.mixes_source}."
        yield ""


def _front(recipe: Recipe) -> Iterator[str]:
    front = recipe.front
    yield "## What other budgets buy"
    yield ""
    count = len(front.points)
    shown = sorted({front.knee, *np.linspace(0, count - 1, min(_FRONT_ROWS, count)).round().astype(int).tolist()})
    rows = [
        (
            f"{point.effective_bits:.3f}{' (knee)' if number == front.knee else ''}",
            f"{point.gigabytes:.4g}",
            _with_interval(point.predicted_kl, point.ci95),
            ", ".join(f"{many} `{pair}`" for pair, many in point.counts.items() if many),
        )
        for number, point in enumerate(front.points)
        if number in shown
    ]
    yield from markdown_table(("Bits", "GB", "Predicted KL", "Groups"), rows)
    yield ""
    yield f"{len(rows)} of the {count} recipes in `pareto.json`."
    yield ""


def _stability(recipe: Recipe) -> Iterator[str]:
    stability, choice = recipe.solved.stability, recipe.choice
    yield "## How sure the choice is"
    yield ""
    if stability is None:
        yield "Not known: there are no probe sums beside the manifests. Run the cases again to have them."
        yield ""
        return
    count, groups = len(choice.parts), recipe.open_groups
    captions = len(choice.tokens)
    yield (
        f"Of {captions} captions drawn anew a thousand times, {count - len(groups)} of {count} groups get "
        f"the same pair in {SETTLED:.0%} of the draws; {SETTLED:.0%} of the draws choose within {stability.gap:.1%} "
        "of their best."
    )
    if groups:
        yield ""
        yield (
            "The others are open. How many captions like these would settle each is a rough guess. The captions that "
            "decide carry most of what this recipe and the best one with the other pair differ by: one that stands "
            f"out is worth a look.{_most_deciding(groups)}"
        )
        yield ""
        rows = (_open_row(recipe, each) for each in groups[:MOST_UNSETTLED])
        yield from markdown_table(("Group", "Chosen", "Captions that would settle it", "Captions that decide"), rows)
        if len(groups) > MOST_UNSETTLED:
            yield ""
            yield f"And {len(groups) - MOST_UNSETTLED} more, in `recipe.json`."
    yield ""


def _open_row(recipe: Recipe, group: OpenGroup) -> tuple[str, str, str, str]:
    choice, stability = recipe.choice, recipe.solved.stability
    assert stability is not None  # noqa: S101  only then a group is open
    shares = stability.shares[group.row]
    chosen = (f"`{choice.pairs[each]}` in {shares[each]:.0%}" for each in np.argsort(-shares, kind="stable"))
    return (
        choice.parts[group.row].name,
        ", ".join(each for each in chosen if not each.endswith(" 0%")),
        _settling(recipe, group),
        _deciding(recipe, group),
    )


def _most_deciding(groups: Sequence[OpenGroup]) -> str:
    """The captions that decide more than one group, as a sentence."""
    counts = collections.Counter(each.caption for group in groups for each in group.deciding or ())
    most = [(caption, count) for caption, count in counts.most_common(_MOST_DECIDING) if count > 1]
    if not most:
        return ""
    listed = ", ".join(f"{caption + 1} ({count} groups)" for caption, count in most)
    return f" Most often it is {listed}."


def _settling(recipe: Recipe, group: OpenGroup) -> str:
    if group.times is None:
        return f"more than {TIMES[-1]} times as many"
    captions = group.times * len(recipe.choice.tokens)
    more = more_captions(recipe.choice.sources[0].manifest, captions)
    said = f"{captions}, {group.times} times as many"
    if more is None:
        return said
    raised = "" if more.score_size is None else f" with `autoquant.score_size` {more.score_size}"
    return f"{said}: `--size {more.size}`{raised}"


def _deciding(recipe: Recipe, group: OpenGroup) -> str:
    if group.deciding is None:
        return "not traced"
    pairs = (recipe.choice.pairs[recipe.solved.chosen[group.row]], recipe.choice.pairs[group.rival])
    texts = recipe.caption_texts
    named = (
        f"{each.caption + 1}{_quoted(texts[each.caption]) if texts else ''} "
        f"({each.share:.0%}, for `{pairs[not each.for_first]}`)"
        for each in group.deciding
    )
    return ", ".join(named) or "none stands out"


def _quoted(text: str) -> str:
    start = " ".join(text.split())
    return f' "{markdown(start if len(start) <= _QUOTED else f"{start[:_QUOTED]}...")}"'


def _left_out(recipe: Recipe) -> Iterator[str]:
    left = [part for part in recipe.choice.parts if part.why_left_out is not None]
    if left:
        yield "## Left as they are, since nobody knows what quantizing them does"
        yield ""
        yield from (f"- {part.name}: {part.why_left_out}" for part in left)
        yield ""


def _groups(recipe: Recipe) -> Iterator[tuple[str, str, str, str]]:
    choice, solved = recipe.choice, recipe.solved
    for row, (part, column) in enumerate(zip(choice.parts, solved.chosen.tolist(), strict=True)):
        share = "-" if solved.stability is None else f"{solved.stability.shares[row][column]:.0%}"
        for name in part.names:
            yield name, choice.pairs[column], f"{choice.predicted[row, column]:.3e}", share


def _with_interval(value: float, interval: tuple[float, float] | list[float] | None) -> str:
    return f"{value:.4g}" if interval is None else f"{value:.4g} ({interval[0]:.3g} to {interval[1]:.3g})"
