"""Whether recipes are worth having: measured beside ModelOpt's own choice and beside each pair alone.

From one pass over a model come recipes at several budgets; each is really quantized and measured on captions that
neither scored nor calibrated. Ratios have a 95 % interval over resamples of those captions, the same for both sides.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from auto_quantize_model import load_suite, run_cases
from auto_quantize_model.captions.reading import read_captions
from auto_quantize_model.captions.samples import captions_sha256
from auto_quantize_model.recipes.candidates import NONE
from auto_quantize_model.recipes.modelopt_choice import modelopts_choice
from auto_quantize_model.recipes.proving import HeldOutCaptions, Prover
from auto_quantize_model.recipes.recipe import solve_recipe
from auto_quantize_model.reporting import silent
from auto_quantize_model.scores import MeasuredOn
from auto_quantize_model.statistics.bootstrap import paired_ratio

if TYPE_CHECKING:
    from auto_quantize_model.recipes.recipe import Recipe
    from auto_quantize_model.scores import Measured

SUITE = Path(__file__).resolve().parents[1] / "sensitivity_cases" / "suite.yaml"
CAPTIONS = SUITE.parent / "data" / "embedded_captions_large.txt"
HEADERS = (
    "bits",
    "predicted: sum, whole",
    "measured",
    "sum, whole / measured",
    "ModelOpt's / ours",
    "best pair alone / ours",
)


@dataclasses.dataclass(frozen=True)
class Budgeted:
    """A recipe at one budget, and what it is compared with."""

    bits: float
    recipe: Recipe
    modelopts: dict[str, str]
    uniform: list[str]
    """The pairs of no more bits."""

    @property
    def assignments(self) -> list[dict[str, str]]:
        alone = [dict.fromkeys(self.recipe.assignment, pair) for pair in self.uniform]
        return [self.recipe.assignment, self.modelopts, *alone]

    def row(self, measured: list[Measured]) -> str:
        ours, modelopts, *alone = measured
        totals, kl = self.recipe.solved.totals, ours.kl_per_token
        assert totals.whole is not None  # noqa: S101  a run has its probe sums
        best = min(zip(alone, self.uniform, strict=True), key=lambda each: each[0].kl_per_token, default=None)
        beside = "-" if best is None else f"{shown(best[0], ours)} `{best[1]}`"
        cells = (
            f"{self.bits:g}",
            f"{totals.predicted_kl:.4g}, {totals.whole:.4g}",
            f"{kl:.4g}",
            f"{totals.predicted_kl / kl:.2f}, {totals.whole / kl:.2f}",
            shown(modelopts, ours),
            beside,
        )
        return f"| {' | '.join(cells)} |"


def shown(one: Measured, other: Measured) -> str:
    ratio, low, high = paired_ratio(one.kl, other.kl)
    return f"{ratio:.2f} ({low:.2f} to {high:.2f})"


def main() -> None:
    """Print the table, a line a budget."""
    arguments = _arguments()
    pairs = arguments.pairs.split(",")
    overrides = [f"suite.models=[{arguments.model}]", f"suite.pairs=[{arguments.pairs}]", *arguments.override]
    cases = load_suite(SUITE, overrides=overrides).select(arguments.size)
    results = list(run_cases(cases, device="cpu"))
    by_pair = {case.pair.name: case for case in cases}
    manifest = results[0].manifest
    assert manifest is not None, results[0].error  # noqa: S101
    prover = Prover(by_pair, "cpu", {}, manifest, silent)
    budgets = []
    for bits in map(float, arguments.bits.split(",")):
        recipe = solve_recipe(results, budget=bits)
        choice = recipe.choice
        modelopts = modelopts_choice(choice, prover.formats, bits)
        uniform = [pair for column, pair in enumerate(choice.pairs) if pair != NONE and choice.bits[column] <= bits]
        budgets.append(Budgeted(bits, recipe, modelopts, uniform))
    others = read_captions(arguments.held_out)[-arguments.captions :]
    held_out = HeldOutCaptions(tuple(others), MeasuredOn(None, len(others), captions_sha256(others)))
    found = iter(prover.measure([each for its in budgets for each in its.assignments], held_out))
    probes = cases[0].autoquant.probes
    about = f"{arguments.model}, {', '.join(pairs)}, {len(others)} held-out captions, {probes} probes"
    sys.stdout.write(f"{about}\n| {' | '.join(HEADERS)} |\n|{' --- |' * len(HEADERS)}\n")
    for each in budgets:
        sys.stdout.write(f"{each.row([next(found) for _ in each.assignments])}\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="qwen3_vl_tiny")
    parser.add_argument("--size", default="medium")
    parser.add_argument("--pairs", default="wfp4_afp16,wfp8_afp16,wint8_afp16", help="Names of pairs, with commas")
    parser.add_argument("--bits", default="4.75,5,5.4,6,7,8", help="Effective bits, with commas")
    parser.add_argument("--held-out", type=Path, default=CAPTIONS, metavar="FILE", help="Measure on its last captions")
    parser.add_argument("--captions", type=int, default=64, metavar="N", help="How many of them (default: 64)")
    parser.add_argument("--override", action="append", default=[], metavar="KEY=VALUE")
    return parser.parse_args()


if __name__ == "__main__":
    main()
