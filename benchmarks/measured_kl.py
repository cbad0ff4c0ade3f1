"""Measuring the KL divergence of single groups, against the `kl_div` loop of ModelOpt on the same captions."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

import torch

from auto_quantize_model import load_suite
from auto_quantize_model.checkpoints.locate import locate
from auto_quantize_model.checkpoints.opening import open_checkpoint
from auto_quantize_model.engine.capture.batches import tokenize
from auto_quantize_model.engine.capture.captured import capture
from auto_quantize_model.engine.capture.groups import find_groups
from auto_quantize_model.engine.measurement.captions import caption_tokens
from auto_quantize_model.engine.measurement.measure import measure
from auto_quantize_model.engine.measurement.quantizing import Quantized
from auto_quantize_model.families import load_model
from auto_quantize_model.plan import plan_passes
from auto_quantize_model.precision.capability import check_format
from auto_quantize_model.precision.formats import resolve_format
from auto_quantize_model.precision.quantizers import modelopt_config
from auto_quantize_model.precision.quiet import modelopt_quiet
from benchmarks.places import SUITE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auto_quantize_model import Case
    from auto_quantize_model.engine.capture.batches import TokenBatch
    from auto_quantize_model.families.loaded import LoadedModel

CPU = torch.device("cpu")


def ours(loaded: LoadedModel, cases: Sequence[Case], batches: Sequence[TokenBatch], every: int) -> float:
    """The seconds of measuring every n-th group with every pair."""
    layout = find_groups(loaded)
    maxima = capture(loaded, layout, batches, (), 1).maxima().max(axis=1)
    quantizers = [check_format(resolve_format(case.pair.format), CPU)[0] for case in cases]
    chosen = list(zip(layout.groups, map(float, maxima), strict=True))[::every]
    assignments = [{group.name: Quantized(each, most)} for group, most in chosen for each in quantizers]
    started = time.perf_counter()
    measure(loaded, layout.groups, caption_tokens(batches), assignments)
    return time.perf_counter() - started


def theirs(loaded: LoadedModel, cases: Sequence[Case], batches: Sequence[TokenBatch], every: int) -> float:
    """The same by ModelOpt's loop, which converts the model; the one batch that calibrates is timed too."""
    import modelopt.torch.quantization as mtq

    groups = find_groups(loaded).groups
    others = [name for number, group in enumerate(groups) if number % every for name in group.members]
    started = time.perf_counter()
    with modelopt_quiet():
        mtq.auto_quantize(
            loaded.model,
            constraints={"effective_bits": 16.0},
            quantization_formats=[modelopt_config(resolve_format(case.pair.format), CPU) for case in cases],
            data_loader=list(batches),
            forward_step=lambda model, batch: model(**batch.inputs, use_cache=False).logits,
            num_calib_steps=1,
            num_score_steps=len(batches),
            disabled_layers=[*loaded.disabled_layers(), *others],
            method="kl_div",
            verbose=False,
        )
    return time.perf_counter() - started


def main() -> None:
    """Print both times, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="qwen3_vl_tiny")
    parser.add_argument("--pairs", default="wfp or wint or wmx", help="An expression as -k takes it")
    parser.add_argument("--captions", type=int, default=32, metavar="N", help="How many captions to measure on")
    parser.add_argument("--every", type=int, default=4, metavar="N", help="Measure every N-th group")
    arguments = parser.parse_args()
    overrides = [f"suite.models=[{arguments.model}]", f"dataset.size_to_max_samples.medium={arguments.captions}"]
    cases = load_suite(SUITE, overrides=overrides).select(f"medium and ({arguments.pairs})")
    (plan,) = plan_passes(cases)
    seconds, measured = [], 0
    for side in (ours, theirs):
        loaded = load_model(cases[0].model, open_checkpoint(locate(cases[0]).path), CPU)
        measured = len(find_groups(loaded).groups[:: arguments.every]) * len(cases)
        seconds.append(side(loaded, cases, tokenize(plan, loaded), arguments.every))
    mine, loop = seconds
    about = (
        f"{arguments.model}, {arguments.captions} captions, {measured} times one group with one of {len(cases)} pairs"
    )
    sys.stdout.write(
        f"measured KL, {about}: {mine:.1f} s; ModelOpt's kl_div loop {loop:.1f} s; ratio {loop / mine:.1f}\n"
    )


if __name__ == "__main__":
    main()
