"""Time the whole case matrix: one capture and replay against ModelOpt's loop over the cases, in one run.

`python -m benchmarks.matrix --help` lists the models. Every number it prints is measured in that run, unless its
line says that it is extrapolated.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoTokenizer, Qwen3MoeConfig, Qwen3MoeForCausalLM

from auto_quantize_model import CaseError, load_suite
from benchmarks.measuring import (
    ProductCounter,
    Stages,
    product_rate,
    run,
    suite_of,
    timed,
    unshared_flops,
    worst_difference,
)
from benchmarks.places import SUITE, TINY
from benchmarks.random_qwen3_vl import Shape, build

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auto_quantize_model.cases.suite import Case, Suite
    from auto_quantize_model.run import CaseResult

CHECKPOINT = TINY / "checkpoint"
ADDED_PAIR = "wfp8_afp8"
RATE_SIZES = ((1024, 512, 3072), (1024, 1536, 512), (2048, 2048, 2048))


def main() -> None:
    """Run both sides and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", choices=MODELS, default="random_25m", help="Model (default: %(default)s)")
    parser.add_argument(
        "--reference", default="", metavar="EXPRESSION", help="Cases that ModelOpt runs, as -k (default: all)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="Also write the figures as JSON")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    with tempfile.TemporaryDirectory() as folder:
        try:
            figures = measure(arguments.model, arguments.reference, Path(folder))
        except CaseError as error:
            raise SystemExit(str(error)) from None
    for name, value in figures.items():
        sys.stdout.write(f"{name:58} {value if isinstance(value, str) else f'{value:10.3f}'}\n")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def measure(model: str, reference: str, folder: Path) -> dict[str, Any]:
    """Time both engines on one model."""
    suite = prepare(model, folder)
    # Once through both, so that neither side pays for imports and first calls.
    run(suite.select("wint8_afp16 and small"), "replay")
    run(suite.select("wint8_afp16 and small"), "modelopt")

    counter, stages = ProductCounter(), Stages()
    with counter.counting():
        ours, one_pass = timed(suite.cases, "replay", stages=stages)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    rate = product_rate(RATE_SIZES)
    added = Stages()
    run(suite.select(ADDED_PAIR), "replay", progress=added)
    compared = suite.select(reference)
    theirs, loop, loop_without_load = loop_seconds(suite, compared)
    all_compared = len(compared) == len(suite.cases)
    floor = counter.flops / rate
    return {
        "model": model,
        "cases": f"{len(ours)}, of which ModelOpt ran {len(compared)}",
        "one pass, all cases (s)": one_pass,
        "  load (s)": stages.seconds["load"],
        "  capture (s)": stages.seconds["capture"],
        "  replay (s)": stages.seconds["replay"],
        "  replay's floor: its products at the measured rate (s)": floor,
        "  replay over its floor": stages.seconds["replay"] / floor,
        "  measured matrix-product rate (GFLOP/s)": rate / 1e9,
        "  its products, of those that the cases would take alone": counter.flops / unshared_flops(ours),
        "  peak memory of the process (GiB)": peak,
        f"one more pair ({ADDED_PAIR}, 3 sizes) on a capture (s)": added.seconds["replay"],
        "ModelOpt case by case (s)" + ("" if all_compared else ", extrapolated size by size"): loop,
        "ratio": loop / one_pass,
        "ratio, loads left out on both sides": loop_without_load / (one_pass - stages.seconds["load"]),
        "worst relative difference of a group's score": f"{worst_difference(ours, theirs):10.1e}",
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
        stages = Stages()
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
    main()
