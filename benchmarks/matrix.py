"""Time the whole case matrix: one capture and replay against ModelOpt's loop over the cases, in one run.

`python -m benchmarks.matrix --help` lists the models. Every number it prints is measured in that run, unless its
line says that it is extrapolated.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import resource
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoTokenizer, Qwen3MoeConfig, Qwen3MoeForCausalLM

from auto_quantize_model import CaseError, load_suite
from auto_quantize_model.errors import InputError
from benchmarks.floors import ProductsSeen, floor_seconds, flops
from benchmarks.measuring import (
    Stages,
    run,
    suite_of,
    timed,
    unshared_flops,
    worst_difference,
)
from benchmarks.places import SUITE, TINY
from benchmarks.random_qwen3_vl import Shape, build
from benchmarks.trend import TREND, Run, compared, described, read_past

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auto_quantize_model.cases.suite import Case, Suite
    from auto_quantize_model.run import CaseResult

CHECKPOINT = TINY / "checkpoint"
ADDED_PAIR = "wfp8_afp8"
REFERENCE = "small or wfp8_afp8"
CLOCK = time.process_time
"""Others may use the machine too."""


def main() -> int:
    """Run both sides, print the table; returns 1 if a ratio is worse than in past runs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", choices=MODELS, default="random_25m", help="Model (default: %(default)s)")
    parser.add_argument(
        "--reference",
        default=REFERENCE,
        metavar="EXPRESSION",
        help="Cases that ModelOpt runs, as -k; empty: all, a quarter of an hour (default: %(default)s)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="Also write the figures as JSON, with the machine")
    parser.add_argument("--compare", action="store_true", help="Compare the ratios with past runs; exits 1 if slower")
    parser.add_argument("--record", action="store_true", help="Add this run to the past runs")
    parser.add_argument(
        "--trend", type=Path, default=TREND, metavar="FILE", help="Where past runs are (default: %(default)s)"
    )
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    try:
        past = read_past(arguments.trend, arguments.model, needed=arguments.compare)
        with tempfile.TemporaryDirectory() as folder:
            measured = measure(arguments.model, arguments.reference, Path(folder))
    except (CaseError, InputError) as error:
        raise SystemExit(str(error)) from None
    this_run = Run.now(arguments.model, measured.ratios, measured.figures)
    for name, value in measured.figures.items():
        sys.stdout.write(f"{name:58} {value if isinstance(value, str) else f'{value:10.3f}'}\n")
    if arguments.json:
        arguments.json.write_text(json.dumps(this_run.to_json(), indent=2) + "\n", encoding="utf-8")
    if arguments.record:
        this_run.append_to(arguments.trend)
    changes = compared(this_run, past) if arguments.compare else ()
    sys.stdout.writelines(f"{line}\n" for line in described(changes))
    return int(any(change.slower for change in changes))


@dataclasses.dataclass(frozen=True, slots=True)
class Measured:
    """What one run of both sides gives."""

    ratios: dict[str, float]
    """What compares with other runs, on other machines too; the lower, the faster."""
    figures: dict[str, Any]


def measure(model: str, reference: str, folder: Path) -> Measured:
    """Time both engines on one model, in CPU seconds."""
    suite = prepare(model, folder)
    # Once through both, so that neither side pays for imports and first calls.
    run(suite.select("wint8_afp16 and small"), "replay")
    run(suite.select("wint8_afp16 and small"), "modelopt")

    stages, started = Stages(clock=CLOCK), time.perf_counter()
    ours, one_pass = timed(suite.cases, "replay", stages=stages)
    wall = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    floors = _floors(suite)
    added = Stages(clock=CLOCK)
    run(suite.select(ADDED_PAIR), "replay", progress=added)
    compared_cases = suite.select(reference)
    theirs, loop, loop_without_load = loop_seconds(suite, compared_cases)
    all_compared = len(compared_cases) == len(suite.cases)
    capture, replay = stages.seconds["capture"], stages.seconds["replay"]
    ratios = {
        "pass over ModelOpt's loop": one_pass / loop,
        "capture over its floor": capture / floors["capture"].seconds,
        "replay over its floor": replay / floors["replay"].seconds,
    }
    figures = {
        "model": model,
        "cases": f"{len(ours)}, of which ModelOpt ran {len(compared_cases)}",
        "one pass, all cases (CPU s)": one_pass,
        "  by the clock on the wall (s)": wall,
        "  load (CPU s)": stages.seconds["load"],
        "  capture (CPU s)": capture,
        "  replay (CPU s)": replay,
        "  capture's floor: its products alone (CPU s)": floors["capture"].seconds,
        "  capture over its floor": ratios["capture over its floor"],
        "  replay's floor: its products alone (CPU s)": floors["replay"].seconds,
        "  replay over its floor": ratios["replay over its floor"],
        "  rate of replay's products (GFLOP/CPU s)": floors["replay"].flops / floors["replay"].seconds / 1e9,
        "  its products, of those that the cases would take alone": floors["replay"].flops / unshared_flops(ours),
        "  peak memory of the process (GiB)": peak,
        f"one more pair ({ADDED_PAIR}, 3 sizes) on a capture (CPU s)": added.seconds["replay"],
        "ModelOpt case by case (CPU s)" + ("" if all_compared else ", extrapolated size by size"): loop,
        "ratio": loop / one_pass,
        "ratio, loads left out on both sides": loop_without_load / (one_pass - stages.seconds["load"]),
        "worst relative difference of a group's score": f"{worst_difference(ours, theirs):10.1e}",
    }
    return Measured(ratios, figures)


@dataclasses.dataclass(frozen=True, slots=True)
class _Floor:
    seconds: float
    flops: float


def _floors(suite: Suite) -> dict[str, _Floor]:
    """The floors of capture and replay, whose products another pass over all cases notes."""
    with ProductsSeen() as seen:
        run(suite.cases, "replay", progress=seen)
    return {
        stage: _Floor(floor_seconds(seen.by_stage[stage], CLOCK), flops(seen.by_stage[stage]))
        for stage in ("capture", "replay")
    }


def loop_seconds(suite: Suite, compared: Sequence[Case]) -> tuple[list[CaseResult], float, float]:
    """What ModelOpt gives for some cases, and what its loop over all takes, in all and without its loads.

    A size's other cases are taken to last as long as its compared ones.
    """
    results: list[CaseResult] = []
    seconds = without_load = 0.0
    for size in dict.fromkeys(case.size for case in suite.cases):
        mine = [case for case in compared if case.size == size]
        if not mine:
            raise CaseError(f"--reference names no case of the size {size}, so its time cannot be told")
        stages = Stages(clock=CLOCK)
        found, took = timed(mine, "modelopt", stages=stages)
        results += found
        times = sum(case.size == size for case in suite.cases) / len(mine)
        seconds += took * times
        without_load += (took - stages.seconds["load"]) * times
    return results, seconds, without_load


def prepare(model: str, folder: Path) -> Suite:
    """The repository's matrix for one of its models, or for one that is built into a models tree of its own."""
    if model not in BUILDERS:
        return load_suite(SUITE, overrides=[f"suite.models=[{model}]", "model.dtype=float32"])
    checkpoint = folder / model / "checkpoint"
    checkpoint.parent.mkdir(parents=True)
    return suite_of(folder, model, BUILDERS[model](checkpoint), "float32")


def build_random_25m(folder: Path) -> str:
    """A randomly initialised Qwen3-VL of 25 million language-model weights."""
    shape = Shape(layers=8, hidden=512, intermediate=1536, heads=4, key_value_heads=2, vocabulary=8192)
    build(shape, 2, folder, torch.float32)
    AutoTokenizer.from_pretrained(CHECKPOINT).save_pretrained(folder)
    return "qwen3_vl"


def build_experts(folder: Path) -> str:
    """A randomly initialised Qwen3-MoE with 64 experts in each of 8 layers, 45 million weights."""
    tokenizer = AutoTokenizer.from_pretrained(CHECKPOINT)
    torch.manual_seed(0)
    config = Qwen3MoeConfig(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=512,
        moe_intermediate_size=96,
        num_hidden_layers=8,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=64,
        num_experts=64,
        num_experts_per_tok=4,
        max_position_embeddings=512,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.bos_token_id,
    )
    Qwen3MoeForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return "causal_lm"


BUILDERS = {"random_25m": build_random_25m, "experts_8x64": build_experts}
MODELS = (*BUILDERS, "qwen3_vl_tiny", "smollm2_135m")


if __name__ == "__main__":
    sys.exit(main())
