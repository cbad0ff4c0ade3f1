from __future__ import annotations

import functools
import statistics
from typing import TYPE_CHECKING, Any

import pytest
import torch
from scipy.stats import spearmanr
from tests.places import SUITE

from auto_quantize_model import load_suite, run_cases
from auto_quantize_model.checkpoints.opening import open_checkpoint
from auto_quantize_model.engine.capture.batches import tokenize
from auto_quantize_model.families import load_model
from auto_quantize_model.plan import plan_passes
from auto_quantize_model.precision.capability import check_format
from auto_quantize_model.precision.formats import resolve_format

if TYPE_CHECKING:
    from auto_quantize_model import Case
    from auto_quantize_model.engine.capture.batches import TokenBatch

CPU = torch.device("cpu")
TINY_ONLY = "suite.models=[qwen3_vl_tiny]"


@functools.cache
def predicted(batch_size: int) -> dict[tuple[str, str], float]:
    suite = load_suite(SUITE, overrides=[TINY_ONLY, f"autoquant.batch_size={batch_size}"])
    found = {}
    for result in run_cases(suite.select("afp16 and not large"), device="cpu"):
        assert result.manifest is not None
        for name, entry in result.manifest["layer_sensitivity"].items():
            if entry["status"] == "scored":
                found[result.case.id, name] = entry["predicted_kl"]
    return found


@pytest.mark.parametrize("batch_size", [1, 32])
def test_predicted_kl_does_not_depend_on_the_batch_size(batch_size: int) -> None:
    usual, other = predicted(8), predicted(batch_size)
    assert len(usual) == 4 * 2 * 32
    assert other == pytest.approx(usual, rel=1e-3)


def test_predicted_kl_estimates_the_measured_one() -> None:
    """Really quantize each group's weights alone, and measure what that does to the predictions."""
    (case,) = load_suite(SUITE, overrides=[TINY_ONLY]).select("wint8_afp16 and small")
    (result,) = run_cases([case], device="cpu")
    assert result.scores is not None
    measured = measure_kl(case, [score.group.members for score in result.scores.groups])
    expected = [score.predicted_kl for score in result.scores.groups]
    assert all(value is not None for value in expected)
    assert spearmanr(expected, measured).statistic > 0.95
    ratios = [a / b for a, b in zip(expected, measured, strict=True) if a is not None]
    assert 0.8 < statistics.median(ratios) < 1.25


@torch.inference_mode()
def measure_kl(case: Case, groups: list[tuple[str, ...]]) -> list[float]:
    (plan,) = plan_passes([case])
    loaded = load_model(case.model, open_checkpoint(case.checkpoint), CPU)
    batches = tokenize(plan, loaded)
    quantizers, _ = check_format(resolve_format(case.pair.format), CPU)
    before = log_probabilities(loaded.model, batches)
    divergences = []
    for members in groups:
        weights = [loaded.model.get_submodule(name).weight for name in members]
        kept = [weight.detach().clone() for weight in weights]
        for weight in weights:
            weight.data.copy_(quantizers.quantize_weight(weight.detach()))
        after = log_probabilities(loaded.model, batches)
        divergences.append(float((before.exp() * (before - after)).sum(dim=1).mean()))
        for weight, old in zip(weights, kept, strict=True):
            weight.data.copy_(old)
    return divergences


def log_probabilities(model: Any, batches: list[TokenBatch]) -> torch.Tensor:
    rows = [model(**batch.inputs).logits[batch.counted].double() for batch in batches]
    return torch.log_softmax(torch.cat(rows), dim=-1)
