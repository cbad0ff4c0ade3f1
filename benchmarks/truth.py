"""How true the predicted KL is: measured by really quantizing single groups, halves of the groups at random, and all.

The measurement is the engine's own; that it is right is the tests' business.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.stats import spearmanr

from auto_quantize_model import load_suite, run_cases
from auto_quantize_model.captions.reading import read_captions
from auto_quantize_model.checkpoints.locate import locate
from auto_quantize_model.checkpoints.opening import open_checkpoint
from auto_quantize_model.engine.capture.batches import tokenize
from auto_quantize_model.engine.capture.captured import capture
from auto_quantize_model.engine.capture.groups import find_groups
from auto_quantize_model.engine.measurement.captions import caption_tokens
from auto_quantize_model.engine.measurement.held_out import tokens_of
from auto_quantize_model.engine.measurement.measure import measure
from auto_quantize_model.engine.measurement.quantizing import Quantized
from auto_quantize_model.families import load_model
from auto_quantize_model.plan import plan_passes
from auto_quantize_model.precision.capability import check_format
from auto_quantize_model.precision.formats import resolve_format
from auto_quantize_model.scores import MEASURED
from auto_quantize_model.statistics.total_kl import total_kl

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from auto_quantize_model import Case, CaseResult
    from auto_quantize_model.engine.capture.groups import Layout
    from auto_quantize_model.engine.measurement.quantizing import Assignment
    from auto_quantize_model.families.loaded import LoadedModel
    from auto_quantize_model.scores import CaseScores, GroupScore

    Floats = NDArray[np.float64]

SUITE = Path(__file__).resolve().parents[1] / "sensitivity_cases" / "suite.yaml"
CPU = torch.device("cpu")
TAILS = (0.05, 0.95)
HEADERS = (
    "pair",
    "measured on",
    "rank correlation",
    "of the two measurements",
    "of the costliest tenth",
    "measured / predicted",
    "in its interval",
    "all groups, nats",
    "sum / measured: all, halves",
    "whole / measured: all, halves",
)
COSTLIEST = 0.1
HALVES = 2
"""How many random halves of the groups are measured."""


@dataclasses.dataclass(frozen=True)
class Overlap:
    """How many of the groups that cost most by one measurement are those that cost most by something else."""

    groups: int
    predicted: int
    measured: int | None
    """By the measurement on the other captions; None where there is none."""

    @classmethod
    def of(cls, measured: Floats, predicted: Floats, elsewhere: Floats | None) -> Overlap:
        """Of the costliest tenth."""
        count = max(round(len(measured) * COSTLIEST), 1)
        top = _costliest(measured, count)
        other = None if elsewhere is None else len(top & _costliest(elsewhere, count))
        return cls(count, len(top & _costliest(predicted, count)), other)

    def __str__(self) -> str:
        ceiling = "" if self.measured is None else f", {self.measured} measured"
        return f"{self.predicted} predicted{ceiling} of {self.groups}"


def _costliest(values: Floats, count: int) -> set[int]:
    return set(np.argsort(values, kind="stable")[-count:].tolist())


@dataclasses.dataclass(frozen=True)
class Row:
    """One pair's line of the table."""

    pair: str
    measured_on: str
    rank_correlation: float
    """Of the predictions with what was measured."""
    ceiling: float | None
    """Of what was measured with what was measured on the other captions; None where there are none."""
    costliest: Overlap
    ratio: tuple[float, float, float]
    """Measured over predicted, of single groups: the median, and 5 to 95 % of them."""
    inside: float
    """The share of single groups whose measured KL is in the 95 % interval of the prediction."""
    whole: float
    """Measured, nats per token, with every group quantized."""
    of_whole: tuple[float, float]
    """The sum of the predictions, and that with interactions, over what was measured."""
    of_halves: tuple[tuple[float, float], ...]

    def __str__(self) -> str:
        median, low, high = self.ratio
        sums = ", ".join(f"{plain:.2f}" for plain, _ in (self.of_whole, *self.of_halves))
        wholes = ", ".join(f"{together:.2f}" for _, together in (self.of_whole, *self.of_halves))
        ratio = f"{median:.2f} ({low:.2f} to {high:.2f})"
        ceiling = "not measured" if self.ceiling is None else f"{self.ceiling:.3f}"
        single = (f"{self.rank_correlation:.3f}", ceiling, str(self.costliest), ratio, f"{self.inside:.0%}")
        cells = (f"`{self.pair}`", self.measured_on, *single, f"{self.whole:.3g}", sums, wholes)
        return f"| {' | '.join(cells)} |"


@dataclasses.dataclass(frozen=True)
class Quantization:
    """One case, ready to be really quantized in parts."""

    case: Case
    scores: CaseScores
    intervals: dict[str, list[float]]
    how: dict[str, Quantized]
    groups: list[GroupScore]
    halves: list[list[GroupScore]]
    single: list[GroupScore]

    @classmethod
    def of(cls, result: CaseResult, maxima: Mapping[str, float], every: int) -> Quantization:
        """Single groups are every n-th; `maxima` are those of the groups' inputs."""
        scores = result.scores
        assert scores is not None  # noqa: S101  for the type checker
        assert result.manifest is not None  # noqa: S101
        entries = result.manifest["layer_sensitivity"].values()
        intervals = {each["modules"][0]: each["predicted_kl_ci95"] for each in entries if each["predicted_kl_ci95"]}
        quantizers, _ = check_format(resolve_format(result.case.pair.format), CPU)
        calibrates = quantizers.calibrated and quantizers.input_key is not None
        how = {name: Quantized(quantizers, maximum if calibrates else None) for name, maximum in maxima.items()}
        groups = [each for each in scores.groups if each.status in MEASURED]
        random = np.random.default_rng(0)
        halves = [[groups[i] for i in random.permutation(len(groups))[: len(groups) // 2]] for _ in range(HALVES)]
        return cls(result.case, scores, intervals, how, groups, halves, groups[::every])

    @property
    def assignments(self) -> list[Assignment]:
        """Every single group, then all of them, then the halves."""
        parts = [*([each] for each in self.single), self.groups, *self.halves]
        return [{each.group.name: self.how[each.group.name] for each in part} for part in parts]

    def row(self, measured_on: str, kl: Sequence[float], elsewhere: Sequence[float] | None) -> Row:
        """The line of the table, from what was measured for the assignments, and measured on other captions."""
        count = len(self.single)
        alone, (whole, *halves) = np.array(kl[:count]), kl[count:]
        other = None if elsewhere is None else np.array(elsewhere[:count])
        predicted = np.array([each.predicted_kl for each in self.single])
        ratios = alone / predicted
        intervals = [self.intervals[each.group.name] for each in self.single]
        tokens = self.scores.sample_tokens
        return Row(
            pair=self.case.pair.name,
            measured_on=measured_on,
            rank_correlation=float(spearmanr(predicted, alone).statistic),
            ceiling=None if other is None else float(spearmanr(other, alone).statistic),
            costliest=Overlap.of(alone, predicted, other),
            ratio=(float(np.median(ratios)), *map(float, np.quantile(ratios, TAILS))),  # type: ignore[arg-type]
            inside=float(np.mean([low <= each <= high for each, (low, high) in zip(alone, intervals, strict=True)])),
            whole=whole,
            of_whole=_over(self.groups, tokens, whole),
            of_halves=tuple(_over(half, tokens, part) for half, part in zip(self.halves, halves, strict=True)),
        )


def _over(groups: Sequence[GroupScore], tokens: Any, measured: float) -> tuple[float, float]:
    count = int(tokens.sum())
    alone = [each.sample_kl * count for each in groups if each.sample_kl is not None]
    total = total_kl(alone, [each.signed for each in groups if each.signed is not None], tokens)
    return total.sum / measured, total.whole / measured


def main() -> None:
    """Print the table, a line a pair and a set of captions."""
    arguments = _arguments()
    suite = load_suite(SUITE, overrides=[f"suite.models=[{arguments.model}]", *arguments.override])
    cases = suite.select(f"{arguments.size} and ({arguments.pairs})")
    (plan,) = plan_passes(cases)
    results = list(run_cases(cases, device="cpu"))
    loaded = load_model(cases[0].model, open_checkpoint(locate(cases[0]).path), CPU)
    batches = tokenize(plan, loaded)
    size = plan.size_of(cases[0])
    calibrated, scored = ([batches[index] for index in indices] for indices in (size.calibrated, size.scored))
    places = {} if arguments.only_held_out else {"the same": caption_tokens(scored)}
    if arguments.held_out is not None:
        others = read_captions(arguments.held_out)[-size.scored_samples :]
        places["held out"] = tokens_of(others, plan, loaded)
    layout = find_groups(loaded)
    largest = capture(loaded, layout, calibrated, (), plan.probes).maxima().max(axis=1)
    maxima = {group.name: float(each) for group, each in zip(layout.groups, largest, strict=True)}
    quantizations = [Quantization.of(result, maxima, arguments.every) for result in results]
    about = f"{arguments.model}, {size.scored_samples} captions, {plan.probes} probes, every {arguments.every}. group"
    sys.stdout.write(f"{about}\n| {' | '.join(HEADERS)} |\n|{' --- |' * len(HEADERS)}\n")
    measured = {name: _measured(loaded, layout, tokens, quantizations) for name, tokens in places.items()}
    for name, values in measured.items():
        elsewhere = next((others for other, others in measured.items() if other != name), None)
        for number, each in enumerate(quantizations):
            row = each.row(name, values[number], None if elsewhere is None else elsewhere[number])
            sys.stdout.write(f"{row}\n")


def _measured(
    loaded: LoadedModel, layout: Layout, tokens: Sequence[Tensor], quantizations: Sequence[Quantization]
) -> list[list[float]]:
    """What each of the assignments costs on some captions, by quantization."""
    assignments = [each for its in quantizations for each in its.assignments]
    found = iter(measure(loaded, layout.groups, tokens, assignments))
    return [[next(found).kl_per_token for _ in each.assignments] for each in quantizations]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="qwen3_vl_tiny")
    parser.add_argument("--size", default="medium")
    parser.add_argument("--pairs", default="wfp or wint or wmx", help="An expression as -k takes it")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="Measure every N-th group alone")
    parser.add_argument("--held-out", type=Path, metavar="FILE", help="Measure on the last captions of this file too")
    parser.add_argument("--only-held-out", action="store_true", help="Measure on those alone")
    parser.add_argument("--override", action="append", default=[], metavar="KEY=VALUE")
    return parser.parse_args()


if __name__ == "__main__":
    main()
