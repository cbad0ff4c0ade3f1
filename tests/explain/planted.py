"""Baselines with planted causes, made by really running a case with other settings."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

from tests.places import SUITE

from auto_quantize_model import load_suite, run_cases
from auto_quantize_model.explain.explanation import explain_drift
from auto_quantize_model.explain.older_captions import CaptionSources
from auto_quantize_model.explain.setups import Setup
from auto_quantize_model.manifest.document import dumps

if TYPE_CHECKING:
    from pathlib import Path

    from auto_quantize_model import Case
    from auto_quantize_model.engines import EngineName
    from auto_quantize_model.explain.explanation import Explanation

ENGINE = "engine=modelopt"
"""Stands among the overrides for the engine, which is none."""
COMMON = ("suite.models=[qwen3_vl_tiny]", "suite.sizes=[small]", "suite.pairs=[wfp8_afp8]")

CONFIG = "quant_pair.format=INT8_DEFAULT_CFG"
COUNTS = "dataset.max_calib_samples=7"
BATCH = "autoquant.batch_size=4"
PRECISION = "autoquant.replay_precision=tensor_core"
DTYPE = "model.dtype=bfloat16"


def case_with(*overrides: str) -> Case:
    (case,) = load_suite(SUITE, overrides=[*COMMON, *(each for each in overrides if each != ENGINE)]).cases
    return case


def run_with(*overrides: str) -> dict[str, Any]:
    """The manifest of a run with some settings changed, to be changed at will: a run is done once, then read again."""
    manifest: dict[str, Any] = json.loads(_ran_with(*overrides))
    return manifest


@functools.cache
def _ran_with(*overrides: str) -> str:
    engine: EngineName = "modelopt" if ENGINE in overrides else "replay"
    (result,) = run_cases([case_with(*overrides)], engine=engine, device="cpu")
    assert result.manifest is not None, result.error
    return dumps(result.manifest)


def explain(baseline: dict[str, Any], *overrides: str, captions: Path | None = None) -> Explanation:
    """Explain what differs between a baseline and the case with some settings changed."""
    suite = load_suite(SUITE, overrides=[*COMMON, "autoquant.device=cpu", *overrides])
    return explain_drift(
        Setup(suite.cases[0], "replay"),
        baseline,
        suite.tolerances,
        sources=CaptionSources(captions),
        model_paths={},
        progress=lambda *_: None,
    )


def shares_of(explanation: Explanation) -> dict[tuple[str, ...], float | None]:
    return {part.causes: part.share for part in explanation.shares.parts}
