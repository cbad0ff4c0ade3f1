"""How far ties of NVFP4's block scales move scores: the global scale divided as on a CPU, or as torch divides on CUDA.

The two differ by one unit in the last place, for about one maximum in four; a block whose own scale lies on a tie is
then quantized otherwise.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING
from unittest import mock

from auto_quantize_model import load_suite
from auto_quantize_model.precision import fp4
from benchmarks.measuring import run, scores_of
from benchmarks.places import SUITE

if TYPE_CHECKING:
    from torch import Tensor

HEADERS = ("case", "groups", "moved", "most", "total")


def main() -> None:
    """Run every case both ways and print how much moved."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", default="qwen3_vl_tiny", help="A model of the suite (default: %(default)s)")
    parser.add_argument("--size", default="medium", help="Calibration size (default: %(default)s)")
    parser.add_argument("--pairs", default="wfp4_afp4,wfp4_afp8,wfp4_afp16", help="NVFP4 pairs, with commas")
    arguments = parser.parse_args()
    overrides = [f"suite.models=[{arguments.model}]", f"suite.pairs=[{arguments.pairs}]"]
    cases = load_suite(SUITE, overrides=overrides).select(arguments.size)
    as_on_cuda = run(cases, "replay")
    with mock.patch.object(fp4, "_divided", _as_on_a_cpu):
        as_on_a_cpu = run(cases, "replay")
    sys.stdout.write(f"| {' | '.join(HEADERS)} |\n|{' --- |' * len(HEADERS)}\n")
    for one, other in zip(as_on_cuda, as_on_a_cpu, strict=True):
        pairs = list(zip(scores_of(one).groups, scores_of(other).groups, strict=True))
        ratios = [abs(a.score / b.score - 1) for a, b in pairs if b.score]
        total = sum(a.score for a, _ in pairs) / sum(b.score for _, b in pairs) - 1
        row = (
            one.case.id,
            str(len(ratios)),
            str(sum(each > 0 for each in ratios)),
            f"{max(ratios):.2%}",
            f"{total:+.2%}",
        )
        sys.stdout.write(f"| {' | '.join(row)} |\n")


def _as_on_a_cpu(values: Tensor, number: float) -> Tensor:
    return values / number


if __name__ == "__main__":
    main()
