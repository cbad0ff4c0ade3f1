"""The command line of the check."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from auto_quantize_model import cache
from auto_quantize_model.engine.machine.environment import describe_environment
from benchmarks.gpu_check import correctness, precision, prediction, speed, workers
from benchmarks.gpu_check.device import Cpu, Gpu
from benchmarks.gpu_check.scale import FULL, REHEARSAL
from benchmarks.gpu_check.shared import Shared
from benchmarks.gpu_check.stages import Clock, Stage, run_stages
from benchmarks.gpu_check.table import Findings, show
from benchmarks.places import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.gpu_check.device import Device

# The most valuable first; the seconds are guesses, made without a GPU, with an extension or two to compile.
STAGES = (
    Stage("kernels", 120, correctness.kernels),
    Stage("fp4", 20, correctness.fp4),
    Stage("reference", 40, correctness.reference),
    Stage("baselines", 15, correctness.baselines),
    Stage("build", 45, speed.build),
    Stage("matrix", 75, speed.matrix, needs="build"),
    Stage("prediction", 10, prediction.prediction, needs="matrix"),
    Stage("tensor_core", 60, precision.tensor_core, needs="build"),
    Stage("modelopt", 90, speed.modelopt, needs="matrix"),
    Stage("workers", 45, workers.workers),
    Stage("captures", 75, speed.captures, needs="matrix"),
    Stage("bfloat16", 40, correctness.bfloat16),
    Stage("synchronisations", 10, workers.synchronisations),
)


def main(arguments: Sequence[str]) -> int:
    """Check, print the table; returns the exit status: 1 if a stage failed or an aim is missed."""
    parser = _parser()
    options = parser.parse_args(arguments)
    warnings.filterwarnings("ignore")
    if options.worker:
        workers.work(options.device, options.shared, options.worker, options.cases)
        return 0
    if not options.minutes > 0:
        parser.error("--minutes must be more than 0")
    if not options.rehearse and not torch.cuda.is_available():
        parser.error("there is no CUDA GPU here; --rehearse runs every stage on the CPU, at reduced size")
    device: Device = Cpu() if options.rehearse else Gpu()
    about = {
        "title": "rehearsal on CPU, at reduced size" if options.rehearse else "check on GPU",
        "device": device.label,
        **{key: f"{key} {value}" for key, value in describe_environment(torch.device(device.name)).items()},
    }
    findings = Findings(about)
    chosen = [stage for stage in STAGES if not options.only or stage.name in options.only]
    with _folder(options.folder) as folder:
        # Nothing of the check stays in the user's cache; its workers inherit this.
        os.environ[cache.VARIABLE] = str(folder / "cache")
        shared = Shared(device, REHEARSAL if options.rehearse else FULL, folder, Clock(options.minutes))
        try:
            run_stages(chosen, shared, shared.clock, findings, options.json, shared.scale.pace)
        except KeyboardInterrupt:
            show(findings)
            sys.stderr.write(f"interrupted; what was found by then: {options.json}\n")
            return 130
    show(findings)
    sys.stdout.write(f"the same as JSON: {options.json}\n")
    return 0 if findings.fine else 1


@contextlib.contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    """A folder that is gone afterwards, in the place that was given."""
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="gpu_check_", dir=given) as folder:
        yield Path(folder)


def _parser() -> argparse.ArgumentParser:
    names = [stage.name for stage in STAGES]
    parser = argparse.ArgumentParser(
        prog="gpu_check", description="Check this project on this machine's GPU, unattended"
    )
    parser.add_argument("--rehearse", action="store_true", help="Run every stage on the CPU, at reduced size")
    parser.add_argument(
        "--only", action="append", choices=names, metavar="STAGE", help=f"Repeatable; one of {', '.join(names)}"
    )
    parser.add_argument("--minutes", type=float, default=9.0, help="Stages that no longer fit are skipped (default: 9)")
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="Where the checkpoint and the captures go for a while (20 GB)"
    )
    parser.add_argument(
        "--json", type=Path, default=ROOT / "tmp" / "gpu_check.json", metavar="FILE", help="Default: %(default)s"
    )
    # How the check starts its own workers.
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--shared", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--device", help=argparse.SUPPRESS)
    parser.add_argument("--cases", help=argparse.SUPPRESS)
    return parser
