"""How time and memory of a pass grow with layers, hidden size, captions and pairs, and which share each stage has.

Four points along each of the four, the others held; every point in a process of its own, so that its peak of memory is
its own. Times are CPU seconds without the load and the imports, each the median of some rounds; a fitted exponent of 1
says twice as much takes twice as long.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import torch
from transformers import AutoTokenizer

from auto_quantize_model.engine.machine.environment import describe_environment
from benchmarks.measuring import Stages, run, suite_of
from benchmarks.places import ROOT, TINY
from benchmarks.random_qwen3_vl import Shape, build

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from auto_quantize_model.cases.suite import Suite

MODEL = "growing"
PAIRS = (
    "wfp8_afp8",
    "wint8_aint8",
    "wfp4_afp4",
    "wint8_afp16",
    "wfp4_afp8",
    "wfp8_afp16",
    "wint8_afp8",
    "wfp4_afp16",
)
STAGES = ("capture", "replay")
MEASURES = ("seconds", *STAGES, "memory")
WARM_UP_CAPTIONS = 8


@dataclasses.dataclass(frozen=True, slots=True)
class Point:
    """One size of everything."""

    layers: int = 4
    hidden: int = 256
    captions: int = 64
    pairs: int = 4

    @property
    def shape(self) -> Shape:
        """A model of this size, whose parts keep their proportions."""
        heads = self.hidden // 128
        return Shape(self.layers, self.hidden, 3 * self.hidden, heads, heads, vocabulary=8192)


AXES = {
    "layers": (2, 4, 8, 16),
    "hidden": (128, 256, 512, 1024),
    "captions": (32, 64, 128, 256),
    "pairs": (1, 2, 4, 8),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Cost:
    """What a point takes."""

    seconds: float
    """CPU seconds of the pass without its load."""
    capture: float
    replay: float
    memory: float
    """GB at the peak, beyond what the process had before."""

    def share(self, stage: str) -> float:
        """Of the pass without its load."""
        return float(getattr(self, stage)) / self.seconds


def main() -> None:
    """Measure every point, print the table, and write JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="Runs of each point (default: %(default)s)")
    parser.add_argument("--only", choices=AXES, help="Grow along this alone")
    parser.add_argument("--json", type=Path, metavar="FILE", help="Also write the figures as JSON, with the machine")
    # How each point gets a process of its own.
    parser.add_argument("--point", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds must be at least 1")
    if arguments.point:
        sys.stdout.write(json.dumps(dataclasses.asdict(cost_of(Point(**arguments.point), arguments.rounds))))
        return
    grown = {}
    for axis in [arguments.only] if arguments.only else AXES:
        grown[axis] = {size: _in_a_process(Point(**{axis: size}), arguments.rounds) for size in AXES[axis]}
        sys.stdout.writelines(f"{line}\n" for line in table(axis, grown[axis]))
        sys.stdout.flush()
    if arguments.json:
        arguments.json.write_text(json.dumps(document(grown), indent=2) + "\n", encoding="utf-8")


def table(axis: str, costs: Mapping[int, Cost]) -> Iterator[str]:
    """A line a point, and the exponents."""
    yield f"{axis:>10} {'CPU s':>8} {'capture':>8} {'replay':>8} {'rest':>6} {'GB':>7}"
    for size, cost in costs.items():
        shares = [cost.share(stage) for stage in STAGES]
        parts = f"{shares[0]:8.0%} {shares[1]:8.0%} {max(1 - sum(shares), 0):6.0%}"
        yield f"{size:10} {cost.seconds:8.2f} {parts} {cost.memory:7.3f}"
    powers = exponents(costs)
    of_times = " ".join(f"{powers[name]:8.2f}" for name in ("seconds", *STAGES))
    yield f"{'exponent':>10} {of_times} {'':6} {powers['memory']:7.2f}"


def document(grown: Mapping[str, Mapping[int, Cost]]) -> dict[str, Any]:
    """All figures, with the machine that they are of."""
    return {
        "machine": describe_environment(torch.device("cpu")),
        "otherwise": dataclasses.asdict(Point()),
        "growth": {
            axis: {
                "points": {str(size): dataclasses.asdict(cost) for size, cost in costs.items()},
                "exponents": exponents(costs),
            }
            for axis, costs in grown.items()
        },
    }


def exponents(costs: Mapping[int, Cost]) -> dict[str, float]:
    """For every measure the power of the size that it grows with."""
    return {name: exponent(list(costs), [getattr(cost, name) for cost in costs.values()]) for name in MEASURES}


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The slope of a straight line through the logarithms, by least squares."""
    slope, _ = np.polyfit(np.log(sizes), np.log(values), 1)
    return float(slope)


def cost_of(point: Point, rounds: int) -> Cost:
    """Build a model, run all its cases some times, and take the medians; the peak is that of all rounds."""
    warnings.filterwarnings("ignore")
    with tempfile.TemporaryDirectory() as folder:
        suite = _suite(point, Path(folder))
        warm_up = _suite(dataclasses.replace(point, captions=WARM_UP_CAPTIONS), Path(folder))
        run(warm_up.cases, "replay")
        before = psutil.Process().memory_info().rss
        taken = [_once(suite) for _ in range(rounds)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    middle = {name: statistics.median(each[name] for each in taken) for name in ("seconds", *STAGES)}
    return Cost(**middle, memory=(peak - before) / 1e9)


def _once(suite: Suite) -> dict[str, float]:
    stages = Stages(clock=time.process_time)
    started = time.process_time()
    run(suite.cases, "replay", progress=stages)
    seconds = time.process_time() - started - stages.seconds["load"]
    return {"seconds": seconds, **{stage: stages.seconds[stage] for stage in STAGES}}


def _suite(point: Point, folder: Path) -> Suite:
    checkpoint = folder / MODEL / "checkpoint"
    if not checkpoint.exists():
        checkpoint.mkdir(parents=True)
        build(point.shape, 2, checkpoint, torch.float32)
        AutoTokenizer.from_pretrained(TINY / "checkpoint").save_pretrained(checkpoint)
    wanted = (
        f"suite.pairs=[{','.join(PAIRS[: point.pairs])}]",
        f"suite.sizes={{c: {point.captions}}}",
        f"autoquant.score_size={point.captions}",
    )
    return suite_of(folder, MODEL, "qwen3_vl", "float32", *wanted)


def _in_a_process(point: Point, rounds: int) -> Cost:
    arguments = ("--point", json.dumps(dataclasses.asdict(point)), "--rounds", str(rounds))
    done = subprocess.run(  # noqa: S603  this Python, this benchmark
        [sys.executable, "-m", "benchmarks.growth", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{point}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()
