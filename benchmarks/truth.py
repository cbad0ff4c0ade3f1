"""How true the predicted KL is: measured by really quantizing single groups, halves of the groups at random, and all.

The measurement is a plain forward pass of the whole model, so it shares nothing with replay but the quantizers.
"""

from __future__ import annotations

import argparse
import contextlib
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
from auto_quantize_model.engine.capture.batches import counted_logits, tokenize
from auto_quantize_model.families import load_model
from auto_quantize_model.plan import batch_ranges, plan_passes
from auto_quantize_model.precision.capability import check_format
from auto_quantize_model.precision.formats import resolve_format
from auto_quantize_model.scores import MEASURED
from auto_quantize_model.statistics.total_kl import total_kl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from auto_quantize_model import Case, CaseResult
    from auto_quantize_model.engine.capture.batches import TokenBatch
    from auto_quantize_model.families.loaded import LoadedModel
    from auto_quantize_model.precision.quantizers import FormatQuantizers
    from auto_quantize_model.scores import Group, GroupScore

SUITE = Path(__file__).resolve().parents[1] / "sensitivity_cases" / "suite.yaml"
CPU = torch.device("cpu")
TAILS = (0.05, 0.95)
HEADERS = (
    "pair",
    "measured on",
    "rank correlation",
    "measured / predicted",
    "all groups, nats",
    "sum / measured: all, halves",
    "whole / measured: all, halves",
)
HALVES = 2
"""How many random halves of the groups are measured."""


class Measured:
    """A model that stays loaded, and the KL divergence of its quantized forms from it."""

    def __init__(self, loaded: LoadedModel, calibrated: Sequence[TokenBatch], measured: Sequence[TokenBatch]) -> None:
        self._model = loaded.model
        self._batches = measured
        self._maxima = self._calibrate(calibrated)
        self._before = list(self._log_chances())

    @torch.inference_mode()
    def kl(self, groups: Iterable[Group], quantizers: FormatQuantizers) -> float:
        """Nats per token with some groups quantized, inputs at the maximum that they had when they were calibrated."""
        with contextlib.ExitStack() as undo:
            for name in (name for group in groups for name in group.members):
                layer = self._model.get_submodule(name)
                weight = layer.weight.data
                undo.callback(setattr, layer.weight, "data", weight)
                layer.weight.data = quantizers.quantize_weight(weight.float()).to(weight.dtype)
                if quantizers.input_key is not None:
                    hook = _quantized_input(quantizers, self._maxima[name])
                    undo.callback(layer.register_forward_pre_hook(hook).remove)
            divergences = [
                (before.exp() * (before - after)).sum(dim=1)
                for before, after in zip(self._before, self._log_chances(), strict=True)
            ]
        return float(torch.cat(divergences).mean())

    @torch.inference_mode()
    def _log_chances(self) -> Iterator[torch.Tensor]:
        for batch in self._batches:
            logits = counted_logits(self._model(**batch.inputs, use_cache=False).logits, batch)
            yield torch.log_softmax(logits.float(), dim=-1)

    @torch.inference_mode()
    def _calibrate(self, batches: Sequence[TokenBatch]) -> dict[str, torch.Tensor]:
        maxima: dict[str, torch.Tensor] = {}

        def hook_of(name: str) -> Any:
            def hook(_: Any, inputs: tuple[torch.Tensor, ...]) -> None:
                seen = inputs[0].abs().amax().float()
                maxima[name] = torch.maximum(maxima.get(name, seen), seen)

            return hook

        linear = [each for each in self._model.named_modules() if isinstance(each[1], torch.nn.Linear)]
        hooks = [layer.register_forward_pre_hook(hook_of(name)) for name, layer in linear]
        for batch in batches:
            self._model(**batch.inputs, use_cache=False)
        for hook in hooks:
            hook.remove()
        return maxima


def _quantized_input(quantizers: FormatQuantizers, maximum: torch.Tensor) -> Any:
    def hook(_: Any, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor]:
        values = inputs[0]
        amax = maximum if quantizers.calibrated else values.abs().amax().float()
        return (quantizers.quantize_input(values.flatten(0, -2).float(), amax).view_as(values).to(values.dtype),)

    return hook


@dataclasses.dataclass(frozen=True)
class Row:
    """One pair's line of the table."""

    pair: str
    measured_on: str
    rank_correlation: float
    ratio: tuple[float, float, float]
    """Measured over predicted, of single groups: the median, and 5 to 95 % of them."""
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
        cells = (f"`{self.pair}`", self.measured_on, f"{self.rank_correlation:.3f}", ratio, f"{self.whole:.3g}", sums)
        return f"| {' | '.join((*cells, wholes))} |"


def rows(case: Case, result: CaseResult, places: dict[str, Measured], every: int) -> Iterator[Row]:
    """The lines of one case; single groups are every n-th."""
    scores = result.scores
    assert scores is not None  # noqa: S101  for the type checker
    quantizers, _ = check_format(resolve_format(case.pair.format), CPU)
    groups = [each for each in scores.groups if each.status in MEASURED]
    random = np.random.default_rng(0)
    halves = [[groups[i] for i in random.permutation(len(groups))[: len(groups) // 2]] for _ in range(HALVES)]
    for name, measured in places.items():
        single = groups[::every]
        predicted = np.array([each.predicted_kl for each in single])
        alone = np.array([measured.kl([each.group], quantizers) for each in single])
        ratios = alone / predicted
        whole, *parts = (measured.kl([each.group for each in some], quantizers) for some in (groups, *halves))
        yield Row(
            pair=case.pair.name,
            measured_on=name,
            rank_correlation=float(spearmanr(predicted, alone).statistic),
            ratio=(float(np.median(ratios)), *map(float, np.quantile(ratios, TAILS))),  # type: ignore[arg-type]
            whole=whole,
            of_whole=_over(groups, scores.sample_tokens, whole),
            of_halves=tuple(_over(half, scores.sample_tokens, part) for half, part in zip(halves, parts, strict=True)),
        )


def _over(groups: Sequence[GroupScore], tokens: Any, measured: float) -> tuple[float, float]:
    total = total_kl([each.signed for each in groups if each.signed is not None], tokens)
    return total.sum / measured, total.whole / measured


def held_out(case: Case, loaded: LoadedModel, file: Path, count: int) -> list[TokenBatch]:
    """The last captions of a file, in batches as the case's are."""
    (plan,) = plan_passes([case])
    captions = tuple(read_captions(file)[-count:])
    ranges = batch_ranges(len(captions), case.autoquant.batch_size)
    return tokenize(dataclasses.replace(plan, captions=captions, batches=ranges), loaded)


def main() -> None:
    """Print the table, a line a pair and a set of captions, as each is done."""
    arguments = _arguments()
    suite = load_suite(SUITE, overrides=[f"suite.models=[{arguments.model}]", *arguments.override])
    cases = suite.select(f"{arguments.size} and ({arguments.pairs})")
    (plan,) = plan_passes(cases)
    results = list(run_cases(cases, device="cpu"))
    loaded = load_model(cases[0].model, open_checkpoint(locate(cases[0]).path), CPU)
    batches = tokenize(plan, loaded)
    size = plan.size_of(cases[0])
    calibrated, scored = ([batches[index] for index in indices] for indices in (size.calibrated, size.scored))
    places = {"the same": Measured(loaded, calibrated, scored)}
    if arguments.held_out is not None:
        others = held_out(cases[0], loaded, arguments.held_out, size.scored_samples)
        places["held out"] = Measured(loaded, calibrated, others)
    about = f"{arguments.model}, {size.scored_samples} captions, {plan.probes} probes, every {arguments.every}. group"
    sys.stdout.write(f"{about}\n| {' | '.join(HEADERS)} |\n|{' --- |' * len(HEADERS)}\n")
    for case, result in zip(cases, results, strict=True):
        for row in rows(case, result, places, arguments.every):
            sys.stdout.write(f"{row}\n")
            sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="qwen3_vl_tiny")
    parser.add_argument("--size", default="medium")
    parser.add_argument("--pairs", default="wfp or wint or wmx", help="An expression as -k takes it")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="Measure every N-th group alone")
    parser.add_argument("--held-out", type=Path, metavar="FILE", help="Measure on the last captions of this file too")
    parser.add_argument("--override", action="append", default=[], metavar="KEY=VALUE")
    return parser.parse_args()


if __name__ == "__main__":
    main()
