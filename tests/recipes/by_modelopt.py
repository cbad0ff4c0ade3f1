"""A model quantized by ModelOpt itself, from the file that a recipe gave it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import modelopt.torch.quantization as mtq

from auto_quantize_model import read_quant_cfg
from auto_quantize_model.precision.fp4 import NVFP4_BACKEND, register_cpu_backends
from auto_quantize_model.precision.quiet import modelopt_quiet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from auto_quantize_model.engine.capture.batches import TokenBatch


def quantize(model: Any, batches: Sequence[TokenBatch], file: Path) -> None:
    """On a CPU, its NVFP4 needs a backend."""
    register_cpu_backends()
    config = read_quant_cfg(file)
    for entry in config["quant_cfg"]:
        if (entry.get("cfg") or {}).get("num_bits") == [2, 1]:
            entry["cfg"]["backend"] = NVFP4_BACKEND
    with modelopt_quiet():
        mtq.quantize(model, config, lambda model: [model(**batch.inputs) for batch in batches])
