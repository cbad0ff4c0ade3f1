"""Every preset of the installed ModelOpt, as the format of a pair: scores of replay beside those of ModelOpt's loop.

A preset that one side refuses is listed with the reason.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from modelopt.torch.quantization import config

from auto_quantize_model import load_suite, run_cases
from benchmarks.measuring import scores_of, worst_difference
from benchmarks.places import SUITE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auto_quantize_model import CaseResult
    from auto_quantize_model.engines import EngineName

HEADERS = ("preset", "groups scored", "worst difference, or why not")


def main() -> None:
    """Print a line a preset, and how many run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", default="qwen3_vl_tiny", help="A model of the suite (default: %(default)s)")
    parser.add_argument("--captions", type=int, default=16, help="How many calibrate and score (default: %(default)s)")
    parser.add_argument("--only", default="", help="Presets with this in their name")
    arguments = parser.parse_args()
    presets = [name for name in sorted(config.choices) if arguments.only in name]
    sys.stdout.write(f"| {' | '.join(HEADERS)} |\n|{' --- |' * len(HEADERS)}\n")
    ran = 0
    for preset in presets:
        (ours,) = _run(preset, arguments.model, arguments.captions, "replay")
        if ours.error is not None:
            _write(preset, "-", ours.error)
            continue
        ran += 1
        groups = sum(each.status == "scored" for each in scores_of(ours).groups)
        theirs = _run(preset, arguments.model, arguments.captions, "modelopt")
        refused = theirs[0].error
        _write(preset, str(groups), f"{worst_difference([ours], theirs):.1e}" if refused is None else refused)
    sys.stdout.write(f"{ran} of {len(presets)} presets run\n")
    sys.stdout.flush()


def _run(preset: str, model: str, captions: int, engine: EngineName) -> Sequence[CaseResult]:
    overrides = [
        f"suite.models=[{model}]",
        "suite.pairs=[wint8_aint8]",
        f"suite.sizes={{some: {captions}}}",
        f"quant_pair.format={{name: {preset}, preset: {preset}}}",
        "model.dtype=float32",
    ]
    return list(run_cases(load_suite(SUITE, overrides=overrides), engine=engine, device="cpu"))


def _write(*cells: str) -> None:
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
