"""Manifests of a made-up run: valid, and made without an engine."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import TYPE_CHECKING, Any

from auto_quantize_model.manifest.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auto_quantize_model import Case

SCORES = (3e-4, 2e-5, 7e-6, 0.0)
PREFIX = "model.language_model.layers"
CONFIG: dict[str, Any] = {
    "algorithm": "max",
    "quant_cfg": [
        {"quantizer_name": "*", "enable": False},
        {
            "quantizer_name": "*weight_quantizer",
            "cfg": {"enable": True, "num_bits": [4, 3], "axis": 0},
            "enable": True,
        },
    ],
}


def group_key(index: int) -> str:
    return f"{PREFIX}.{index}.mlp.gate_proj.quant_recipe"


def build(case: Case, scores: Sequence[float] = SCORES) -> dict[str, Any]:
    """A manifest with one group a score, and the head."""
    entries = {group_key(index): _entry(index, score, scores) for index, score in enumerate(scores)}
    entries["lm_head.quant_recipe"] = _head()
    members = [module for entry in entries.values() for module in entry["modules"]]
    return {
        "schema_version": SCHEMA_VERSION,
        "case": {"id": case.id, "model": case.model.name, "pair": case.pair.name, "size": case.size},
        "scheme": {
            "name": case.pair.scheme_name,
            "auto_quantize_bits": 8.0,
            "auto_quantize_method": "gradient",
            "auto_quantize_score_size": 128,
            "coverage_mode": "lm_only",
            "coverage_fraction": 1.0,
            "quant_formats": [case.pair.format.name],
        },
        "model": {
            "id": case.model.name,
            "family": case.model.family,
            "checkpoint_sha256": "a" * 64,
            "parameters": 1000,
        },
        "engine": {
            "name": "replay",
            "device": "cpu",
            "dtype": "float32",
            "difference_dtype": "float32",
            "kernels": {"weight": "modelopt eager", "input": "none"},
        },
        "environment": {"modelopt": "0.47.0", "torch": "2.13.0", "transformers": "5.14.1"},
        "dataset": {
            "name": "embedded_captions",
            "captions": f"embedded_captions_{case.size}.txt",
            "max_calib_samples": None,
            "seq_len": 512,
            "padding_side": "left",
        },
        "calibration": {
            "calibrated_samples": 16,
            "calibrated_tokens": 229,
            "scored_samples": 16,
            "scored_tokens": 229,
            "loss_tokens": 213,
            "probes": 2,
            "batch_size": 8,
            "captions_sha256": "b" * 64,
        },
        "quantization": _quantization(case),
        "num_quantized_layers": len(members) - 1,
        "layers": {name: {"quantized": name != "lm_head", "module_type": "QuantLinear"} for name in members},
        "autoquant_state": {
            "keys": ["candidate_stats", "best", "constraints"],
            "constraints": {"effective_bits": 8.0},
            "score": sum(scores),
            "is_satisfied": True,
            "status": "optimal",
        },
        "predicted_kl": {
            "sum": 30 * sum(scores),
            "sum_ci95": [24 * sum(scores), 36 * sum(scores)],
            "whole": 33 * sum(scores),
            "whole_ci95": [21 * sum(scores), 45 * sum(scores)],
        },
        "measured": None,
        "layer_sensitivity": entries,
        "sensitivity_ranking": [
            {"name": name, "importance": score}
            for score, name in sorted((score, group_key(index)) for index, score in enumerate(scores))
        ],
        "statistics": None,
    }


def measured(manifest: dict[str, Any], kl: float = 0.01, *, captions: str = "c" * 64) -> dict[str, Any]:
    """Say in a manifest that all of it was measured, and its first group alone."""
    manifest["measured"] = {
        "kl": kl,
        "kl_ci95": [0.8 * kl, 1.2 * kl],
        "loss_change": -kl,
        "loss_change_ci95": [-2 * kl, kl],
        "top1_agreement": 0.9,
        "top1_agreement_ci95": [0.8, 1.0],
        "captions": {"file": None, "samples": 4, "loss_tokens": 40, "sha256": captions},
    }
    first = manifest["layer_sensitivity"][group_key(0)]
    first["measured_kl"], first["measured_kl_ci95"] = kl / 10, [0.08 * kl, 0.12 * kl]
    return manifest


def _quantization(case: Case) -> dict[str, Any]:
    return {
        "format": case.pair.format.name,
        "effective_bits": 8.0,
        "config": copy.deepcopy(CONFIG),
        "config_sha256": hashlib.sha256(json.dumps(CONFIG, sort_keys=True, separators=(",", ":")).encode()).hexdigest(),
    }


def _entry(index: int, score: float, scores: Sequence[float]) -> dict[str, Any]:
    return {
        "formats": ["FP8_DEFAULT_CFG(effective-bits: 8.0)", "NONE(effective-bits: 16.0)"],
        "scores": [score, 0.0],
        "costs": [512.0, 1024.0],
        "importance": score,
        "rank": 1 + sum(other < score for other in scores),
        "modules": [f"{PREFIX}.{index}.mlp.{name}" for name in ("gate_proj", "up_proj")],
        "status": "scored",
        "predicted_kl": 30 * score,
        "stderr": score / 10,
        "ci95": [score * 0.8, score * 1.2],
        "rank_ci95": [1, len(scores)],
        "tie_band": 1,
        "predicted_kl_stderr": 3 * score,
        "predicted_kl_ci95": [24 * score, 36 * score],
        "measured_kl": None,
        "measured_kl_ci95": None,
        "split": None,
    }


def _head() -> dict[str, Any]:
    return {
        "formats": ["NONE(effective-bits: 16.0)"],
        "scores": [0.0],
        "costs": [4096.0],
        "importance": None,
        "rank": None,
        "modules": ["lm_head"],
        "status": "disabled",
        "predicted_kl": None,
        "stderr": None,
        "ci95": None,
        "rank_ci95": None,
        "tie_band": None,
        "predicted_kl_stderr": None,
        "predicted_kl_ci95": None,
        "measured_kl": None,
        "measured_kl_ci95": None,
        "split": None,
    }
