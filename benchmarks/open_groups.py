"""How much the number of captions that would settle an open group is worth, on committed manifests.

Recipes are solved from some of the captions, drawn at random, and from all of them: of the groups that the few leave
open, how many do all settle, by what was said of them?
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from auto_quantize_model.manifest.probe_sums import ProbeSums
from auto_quantize_model.recipes.budget import Budget
from auto_quantize_model.recipes.finding import find_sources
from auto_quantize_model.recipes.recipe import Recipe, solve_sources
from auto_quantize_model.recipes.solving import solve
from auto_quantize_model.statistics.unsettled import TIMES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from auto_quantize_model.recipes.candidates import Candidates

MODELS = Path(__file__).resolve().parents[1] / "models"
PAIRS = (
    ("wfp4_afp16", "wfp8_afp16", "wint8_afp16"),
    ("wfp4_afp4", "wfp8_afp8"),
    ("wfp4_afp4", "wfp4_afp16", "wfp8_afp8", "wint8_aint8"),
)
BITS = (5.0, 5.5, 6.0, 7.0)
DRAWS = 4


def main() -> None:
    """Print, by how many times the captions a group was said to take, how many of them all captions settled."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--models", default="qwen3_vl_tiny,smollm2_135m", help="With commas (default: %(default)s)")
    parser.add_argument("--captions", type=int, default=32, help="How many are drawn (default: %(default)s)")
    arguments = parser.parse_args()
    found: dict[int | None, list[bool]] = {}
    for model in arguments.models.split(","):
        for times, settled in _groups(model, arguments.captions):
            found.setdefault(times, []).append(settled)
    sys.stdout.write("| times as many | open groups | settled by all captions |\n| --- | --- | --- |\n")
    for times in (*TIMES, None):
        its = found.get(times, [])
        share = f"{np.mean(its):.0%}" if its else "-"
        sys.stdout.write(f"| {times or f'more than {TIMES[-1]}'} | {len(its)} | {share} |\n")


def _groups(model: str, captions: int) -> Iterator[tuple[int | None, bool]]:
    """Of each group that the captions of a draw leave open: how many times as many would do, and whether all did."""
    random = np.random.default_rng(0)
    for pairs in PAIRS:
        sources = find_sources(MODELS, model, "medium", pairs, None)
        for bits in BITS:
            whole = solve_sources(sources, Budget("bits", bits), [], None)
            still_open = {each.row for each in whole.open_groups}
            for _ in range(DRAWS):
                drawn = np.sort(random.choice(len(whole.choice.tokens), captions, replace=False))
                few = _of_captions(whole.choice, drawn)
                recipe = Recipe(whole.budget, few, solve(few, whole.budget))
                yield from ((each.times, each.row not in still_open) for each in recipe.open_groups)


def _of_captions(choice: Candidates, drawn: NDArray[np.int64]) -> Candidates:
    """The same from some of the captions."""
    sources = []
    for source in choice.sources:
        sums: Any = source.sums
        of_few = ({name: values[..., drawn] for name, values in each.items()} for each in (sums.groups, sums.kl))
        sources.append(dataclasses.replace(source, sums=ProbeSums(sums.tokens[drawn], *of_few)))
    few = dataclasses.replace(choice, sources=tuple(sources))
    added: Any = few.added
    means = added.sum(axis=2) / few.tokens.sum()
    return dataclasses.replace(few, predicted=np.where(np.isfinite(choice.predicted), means, np.inf))


if __name__ == "__main__":
    main()
