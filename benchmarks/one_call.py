"""A pass over a few pairs of one size, against the one call of `mtq.auto_quantize` that a user would make for them.

Both sides load the model, calibrate on the same captions and score the same batches; the call scores all formats on one
model, as ModelOpt's own examples do. In CPU seconds, medians of the rounds, both sides in turn.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import warnings
from typing import TYPE_CHECKING

import torch

from auto_quantize_model import CaseError, load_suite
from auto_quantize_model.checkpoints.locate import locate
from auto_quantize_model.checkpoints.opening import open_checkpoint
from auto_quantize_model.engine.capture.batches import causal_loss, tokenize
from auto_quantize_model.errors import InputError
from auto_quantize_model.families import load_model
from auto_quantize_model.plan import plan_passes
from auto_quantize_model.precision.formats import UNQUANTIZED_BITS, resolve_format
from auto_quantize_model.precision.fp4 import static_blocks_on_cpu
from auto_quantize_model.precision.quantizers import modelopt_config
from auto_quantize_model.precision.quiet import modelopt_quiet
from benchmarks.measuring import Stages, timed
from benchmarks.places import SUITE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auto_quantize_model import Case

CPU = torch.device("cpu")
PAIRS = "wfp8_afp8 or wint8_aint8 or wfp4_afp4"


def ours(cases: Sequence[Case]) -> float:
    """The CPU seconds of a pass, its model's load included."""
    return timed(cases, "replay", stages=Stages(clock=time.process_time))[1]


def theirs(cases: Sequence[Case]) -> float:
    """The CPU seconds of one call with all formats, and of loading the model for it."""
    import modelopt.torch.quantization as mtq

    started = time.process_time()
    (plan,) = plan_passes(cases)
    loaded = load_model(cases[0].model, open_checkpoint(locate(cases[0]).path), CPU)
    batches = tokenize(plan, loaded)
    (size,) = plan.sizes.values()
    with modelopt_quiet(), static_blocks_on_cpu():
        mtq.auto_quantize(
            loaded.model,
            constraints={"effective_bits": UNQUANTIZED_BITS},
            quantization_formats=[modelopt_config(resolve_format(case.pair.format), CPU) for case in cases],
            data_loader=list(batches),
            forward_step=lambda model, batch: model(**batch.inputs, use_cache=False),
            loss_func=lambda output, batch: causal_loss(output.logits, batch),
            num_calib_steps=len(batches),
            num_score_steps=len(size.scored),
            disabled_layers=loaded.disabled_layers(),
            method="gradient",
            verbose=False,
        )
    return time.process_time() - started


def main() -> None:
    """Print both times, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", default="qwen3_vl_tiny", help="A model of the suite (default: %(default)s)")
    parser.add_argument("--pairs", default=PAIRS, help="An expression as -k takes it (default: %(default)s)")
    parser.add_argument("--probes", type=int, metavar="N", help="How many probes the pass has (default: the suite's)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="How often (default: %(default)s)")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    overrides = [f"suite.models=[{arguments.model}]"]
    overrides += [] if arguments.probes is None else [f"autoquant.probes={arguments.probes}"]
    try:
        cases = load_suite(SUITE, overrides=overrides).select(f"medium and ({arguments.pairs})")
        # Once before, so that neither side pays for imports and first calls.
        times = [(ours(cases), theirs(cases)) for _ in range(arguments.rounds + 1)][1:]
    except (CaseError, InputError) as error:
        raise SystemExit(str(error)) from None
    mine, call = (statistics.median(side) for side in zip(*times, strict=True))
    ratio = statistics.median(theirs / ours for ours, theirs in times)
    sys.stdout.write(
        f"{arguments.model}, 128 captions, {len(cases)} pairs: one pass {mine:.1f} CPU s; one call of auto_quantize "
        f"{call:.1f} CPU s; ratio {ratio:.2f}\n"
    )


if __name__ == "__main__":
    main()
