"""Where things lie in the repository."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SUITE = ROOT / "sensitivity_cases" / "suite.yaml"
TINY = ROOT / "models" / "qwen3_vl_tiny"
LEGACY = Path(os.environ.get("LEGACY_RESULTS", ROOT.parent / "shared" / "legacy"))
"""Published results of an older tool; beside the checkout of those who have them."""

CUDA_ALONE = (
    "{name: E5M2, config: {algorithm: null, quant_cfg: [{quantizer_name: '*weight_quantizer', "
    "cfg: {num_bits: [5, 2], block_sizes: {-1: 32, type: dynamic, scale_bits: [8, 0]}}}]}}"
)
"""A format that ModelOpt's CUDA extension has, and nothing that runs on a CPU."""
