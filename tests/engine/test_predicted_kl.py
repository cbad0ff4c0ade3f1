from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
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
    from auto_quantize_model.precision.quantizers import FormatQuantizers

CPU = torch.device("cpu")
TINY_ONLY = "suite.models=[qwen3_vl_tiny]"


@functools.cache
def predicted(batch_size: int, size: str) -> dict[tuple[str, str], float]:
    suite = load_suite(SUITE, overrides=[TINY_ONLY, f"autoquant.batch_size={batch_size}"])
    found = {}
    for result in run_cases(suite.select(f"afp16 and {size}"), device="cpu"):
        assert result.manifest is not None
        for name, entry in result.manifest["layer_sensitivity"].items():
            if entry["status"] == "scored":
                found[result.case.id, name] = entry["predicted_kl"]
    return found


@pytest.mark.parametrize(("batch_size", "size"), [(1, "small"), (32, "small"), (32, "medium")])
def test_predicted_kl_does_not_depend_on_the_batch_size(batch_size: int, size: str) -> None:
    usual, other = predicted(8, size), predicted(batch_size, size)
    assert len(usual) == 4 * 32
    assert other == pytest.approx(usual, rel=1e-3)


@pytest.mark.parametrize("pair", ["wint8_afp16", "wfp4_afp16", "wfp8_afp8"])
def test_predicted_kl_is_the_measured_one(pair: str) -> None:
    """Really quantize each group alone, and all of them, and measure what that does to the predictions."""
    (case,) = load_suite(SUITE, overrides=[TINY_ONLY, "autoquant.probes=16"]).select(f"{pair} and small")
    (result,) = run_cases([case], device="cpu")
    assert result.scores is not None
    assert result.manifest is not None
    groups = [score.group.members for score in result.scores.groups]
    *alone, whole = measure_kl(case, [*([each] for each in groups), groups])
    expected = [score.predicted_kl for score in result.scores.groups if score.predicted_kl is not None]
    assert spearmanr(expected, alone).statistic > 0.98
    ratios = np.divide(alone, expected)
    assert np.median(ratios) == pytest.approx(1, abs=0.1)
    assert np.quantile(ratios, 0.05) > 0.8
    assert np.quantile(ratios, 0.95) < 1.25
    total = result.manifest["predicted_kl"]
    assert total["sum"] == pytest.approx(sum(expected))
    assert total["whole"] == pytest.approx(whole, rel=0.2)
    assert total["whole_ci95"][0] < whole < total["whole_ci95"][1]


@torch.inference_mode()
def measure_kl(case: Case, selections: list[list[tuple[str, ...]]]) -> list[float]:
    """The KL divergence per loss token with each selection of groups quantized; inputs by hooks, at their maximum."""
    (plan,) = plan_passes([case])
    loaded = load_model(case.model, open_checkpoint(case.checkpoint), CPU)
    batches = tokenize(plan, loaded)
    quantizers, _ = check_format(resolve_format(case.pair.format), CPU)
    layers = {name: loaded.model.get_submodule(name) for members in selections[-1] for name in members}
    maxima = maxima_of(loaded.model, layers, batches)
    before = log_probabilities(loaded.model, batches)
    divergences = []
    for selection in selections:
        kept = {name: layers[name].weight.detach().clone() for members in selection for name in members}
        hooks = []
        for name, weight in kept.items():
            layers[name].weight.data.copy_(quantizers.quantize_weight(weight))
            if quantizers.input_key is not None:
                hooks.append(layers[name].register_forward_pre_hook(quantized_input(quantizers, maxima[name])))
        after = log_probabilities(loaded.model, batches)
        divergences.append(float((before.exp() * (before - after)).sum(dim=1).mean()))
        for hook in hooks:
            hook.remove()
        for name, weight in kept.items():
            layers[name].weight.data.copy_(weight)
    return divergences


def maxima_of(model: Any, layers: dict[str, Any], batches: list[TokenBatch]) -> dict[str, torch.Tensor]:
    seen: dict[str, list[torch.Tensor]] = {name: [] for name in layers}
    hooks = [
        layer.register_forward_pre_hook(lambda _, inputs, name=name: seen[name].append(inputs[0].abs().amax()))
        for name, layer in layers.items()
    ]
    log_probabilities(model, batches)
    for hook in hooks:
        hook.remove()
    return {name: torch.stack(each).amax() for name, each in seen.items()}


def quantized_input(quantizers: FormatQuantizers, maximum: torch.Tensor) -> Any:
    def hook(_: Any, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor]:
        (values,) = inputs
        return (quantizers.quantize_input(values.flatten(0, -2), maximum).view_as(values),)

    return hook


def log_probabilities(model: Any, batches: list[TokenBatch]) -> torch.Tensor:
    rows = [model(**batch.inputs).logits[batch.counted].double() for batch in batches]
    return torch.log_softmax(torch.cat(rows), dim=-1)
