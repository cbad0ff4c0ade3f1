"""Time the whole case matrix: one capture and replay against ModelOpt's loop over the cases, in one run.

`python tests/benchmarks/matrix.py --help` lists the models. Every number it prints is measured in that run, unless its
line says that it is extrapolated.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import resource
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import torch
from transformers import AutoTokenizer, Qwen3VLConfig, Qwen3VLForConditionalGeneration

from auto_quantize_model import load_suite, run_cases
from auto_quantize_model.engine import products, replay

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from auto_quantize_model.cases.suite import Case, Suite
    from auto_quantize_model.run import CaseResult

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "models" / "qwen3_vl_tiny" / "checkpoint"
ADDED_PAIR = "wfp8_afp8"


@dataclasses.dataclass
class Stages:
    """A progress callback that remembers when each stage began and ended."""

    seen: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    last: float = dataclasses.field(default_factory=time.perf_counter)

    def __call__(self, stage: str, _done: int, _total: int) -> None:
        """Extend a stage to now; what lies before its first report is its own too."""
        span = self.seen.setdefault(stage, [self.last, self.last])
        span[1] = self.last = time.perf_counter()

    def seconds(self, stage: str) -> float:
        """How long a stage took."""
        first, last = self.seen[stage]
        return last - first


@dataclasses.dataclass
class ProductCounter:
    """Counts the floating-point operations of replay's matrix products."""

    flops: float = 0.0

    @contextlib.contextmanager
    def counting(self) -> Iterator[None]:
        """Count for the duration of a `with` block."""
        plain = products.product

        def counted(rows: Tensor, weight: Tensor) -> Tensor:
            self.flops += 2.0 * rows.shape[0] * weight.numel()
            return plain(rows, weight)

        with mock.patch.object(replay, "product", counted):
            yield


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
        figures = measure(arguments.model, arguments.reference, Path(folder))
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
        ours, one_pass = timed(suite.cases, "replay", stages)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    rate = product_rate()
    added = Stages()
    run(suite.select(ADDED_PAIR), "replay", added)
    compared = suite.select(reference)
    theirs, loop = timed(compared, "modelopt")
    share = len(compared) / len(suite.cases)
    floor = counter.flops / rate
    return {
        "model": model,
        "cases": f"{len(ours)}, of which ModelOpt ran {len(compared)}",
        "one pass, all cases (s)": one_pass,
        "  load (s)": stages.seconds("load"),
        "  capture (s)": stages.seconds("capture"),
        "  replay (s)": stages.seconds("replay"),
        "  replay's floor: its products at the measured rate (s)": floor,
        "  replay over its floor": stages.seconds("replay") / floor,
        "  measured matrix-product rate (GFLOP/s)": rate / 1e9,
        "  peak memory of the process (GiB)": peak,
        f"one more pair ({ADDED_PAIR}, 3 sizes) on a capture (s)": added.seconds("replay"),
        "ModelOpt case by case (s)" + ("" if share == 1 else ", extrapolated from its cases"): loop / share,
        "ratio": loop / share / one_pass,
        "worst relative difference of a group's score": f"{worst_difference(ours, theirs):10.1e}",
    }


def prepare(model: str, folder: Path) -> Suite:
    """The repository's matrix for one of its models, or for one that is built into a models tree of its own."""
    root = ROOT / "models"
    if model in BUILDERS:
        root = folder
        family = BUILDERS[model](root / model / "checkpoint")
        (root / model / "model.yaml").write_text(f"family: {family}\n", encoding="utf-8")
    overrides = [f"suite.models=[{model}]", "model.dtype=float32"]
    return load_suite(ROOT / "sensitivity_cases" / "suite.yaml", models_root=root, overrides=overrides)


def run(cases: Sequence[Case], engine: Any, stages: Stages | None = None) -> list[CaseResult]:
    """Run cases; one that fails would spoil the comparison."""
    results = list(run_cases(cases, engine=engine, device="cpu", progress=stages or Stages()))
    for result in results:
        if result.error:
            raise SystemExit(f"{result.case.id}: {result.error}")
    return results


def timed(cases: Sequence[Case], engine: Any, stages: Stages | None = None) -> tuple[list[CaseResult], float]:
    """Run cases and the clock."""
    stages = stages or Stages()
    start = stages.last = time.perf_counter()
    results = run(cases, engine, stages)
    return results, time.perf_counter() - start


def product_rate() -> float:
    """The best rate of a matrix product in floating-point operations a second."""
    best = 0.0
    for rows, inner, outer in ((1024, 512, 3072), (1024, 1536, 512), (2048, 2048, 2048)):
        left, right = torch.randn(rows, inner), torch.randn(outer, inner)
        for _ in range(10):
            start = time.perf_counter()
            products.product(left, right)
            best = max(best, 2.0 * rows * inner * outer / (time.perf_counter() - start))
    return best


def worst_difference(ours: Sequence[CaseResult], theirs: Sequence[CaseResult]) -> float:
    """The largest relative difference of any group's score in any case that both ran."""
    mine = {result.case.id: result.scores for result in ours}
    worst = 0.0
    for result in theirs:
        scores = mine[result.case.id]
        if scores is None or result.scores is None:
            continue
        for a, b in zip(scores.groups, result.scores.groups, strict=True):
            worst = max(worst, abs(a.score - b.score) / b.score)
    return worst


def build_random_25m(folder: Path) -> str:
    """A randomly initialised Qwen3-VL of 25 million language-model weights."""
    torch.manual_seed(0)
    hidden = 512
    text = {
        "vocab_size": 8192,
        "hidden_size": hidden,
        "intermediate_size": 1536,
        "num_hidden_layers": 8,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 128,
        "max_position_embeddings": 512,
        "rope_scaling": {"rope_type": "default", "mrope_section": [24, 20, 20], "mrope_interleaved": True},
    }
    vision = {
        "depth": 2,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_heads": 4,
        "out_hidden_size": hidden,
        "deepstack_visual_indexes": [0, 1],
    }
    config = Qwen3VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=True)
    Qwen3VLForConditionalGeneration(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(TINY).save_pretrained(folder)
    return "qwen3_vl"


BUILDERS = {"random_25m": build_random_25m}
MODELS = (*BUILDERS, "qwen3_vl_tiny", "smollm2_135m")


if __name__ == "__main__":
    main()
