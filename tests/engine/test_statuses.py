"""What a number that is no plain score is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from tests.small_models import build_llama

from auto_quantize_model import run_cases
from auto_quantize_model.checkpoints.opening import open_checkpoint
from auto_quantize_model.engine.capture.batches import tokenize
from auto_quantize_model.engine.capture.captured import capture
from auto_quantize_model.engine.capture.groups import find_groups
from auto_quantize_model.engine.replay.replay import replay
from auto_quantize_model.engine.replay.rows import describe_rows
from auto_quantize_model.families import load_model
from auto_quantize_model.plan import format_key, plan_passes, size_key
from auto_quantize_model.precision.capability import check_format
from auto_quantize_model.precision.formats import resolve_format

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auto_quantize_model import Suite
    from auto_quantize_model.scores import GroupScore

CPU = torch.device("cpu")
DYNAMIC = (
    "quant_pair.format={name: X, preset: INT8_DEFAULT_CFG, "
    "changes: {'*input_quantizer': {cfg: {num_bits: 8, type: dynamic}}}}"
)
"""A format that runs in ModelOpt's own layers; INT8 of both sides is a product."""
WAYS = pytest.mark.parametrize("overrides", [(), (DYNAMIC,)], ids=["product", "module"])


def scores_with_gradients_times(suite: Suite, factor: float) -> list[GroupScore]:
    """Replay one case from a capture whose gradients are scaled."""
    (case,) = suite.select("wint8_aint8 and small")
    (plan,) = plan_passes([case])
    loaded = load_model(case.model, open_checkpoint(case.checkpoint), CPU)
    batches = tokenize(plan, loaded)
    quantizers, _ = check_format(resolve_format(case.pair.format), CPU)
    captured = capture(loaded, find_groups(loaded), batches, plan.scored, plan.probes, calls=quantizers.by_module)
    for recorded in captured.batches.values():
        for name in recorded.gradients:
            recorded.gradients[name] = [each * factor for each in recorded.gradients[name]]
    rows = describe_rows(plan, batches, plan.scored)
    key = format_key(case)
    counted = {index: batches[index].counted.flatten().nonzero().squeeze(1) for index in plan.scored}
    return replay(captured, loaded, plan, rows, {key: quantizers}, counted=counted)[key, size_key(case)]


@WAYS
def test_a_product_over_the_clamp_is_saturated(overrides: tuple[str, ...], llama_suite: Callable[..., Suite]) -> None:
    plain = scores_with_gradients_times(llama_suite(*overrides), 1.0)
    assert {score.status for score in plain} == {"scored"}
    huge = scores_with_gradients_times(llama_suite(*overrides), 1e25)
    assert {score.status for score in huge} == {"saturated"}
    # Nearly every product is clamped to 1e10, so a sum of squares is nearly 1e20 times their number.
    for score in huge:
        assert np.isfinite(score.score)
        assert score.score / 1e20 == pytest.approx(round(score.score / 1e20), rel=0.05)


@WAYS
def test_a_gradient_that_is_no_number_is_non_finite(
    overrides: tuple[str, ...], llama_suite: Callable[..., Suite]
) -> None:
    broken = scores_with_gradients_times(llama_suite(*overrides), float("nan"))
    assert {score.status for score in broken} == {"non_finite"}


@WAYS
def test_a_gradient_of_zero_is_not_exercised(overrides: tuple[str, ...], llama_suite: Callable[..., Suite]) -> None:
    idle = scores_with_gradients_times(llama_suite(*overrides), 0.0)
    assert {score.status for score in idle} == {"not_exercised"}


@WAYS
def test_what_is_zero_in_float32_alone_is_not_measured(
    overrides: tuple[str, ...], llama_suite: Callable[..., Suite]
) -> None:
    tiny = scores_with_gradients_times(llama_suite(*overrides), 1e-30)
    assert {(score.status, score.score) for score in tiny} == {("not_exercised", 0.0)}


def test_weights_that_a_format_holds_exactly_are_scored_with_zero(
    tmp_path: Path, llama_suite: Callable[..., Suite]
) -> None:
    """Nothing is lost, and that was measured."""
    from transformers import LlamaForCausalLM

    build_llama(tmp_path)
    model = LlamaForCausalLM.from_pretrained(tmp_path)
    with torch.no_grad():
        weight = model.model.layers[1].mlp.down_proj.weight
        weight.copy_(torch.where(torch.arange(weight.numel()).reshape(weight.shape) % 3 == 0, 127.0, -1.0) / 1024)
    model.save_pretrained(tmp_path)
    (result,) = run_cases(llama_suite().select("wint8_afp16 and small"), device="cpu", model_paths={"llama": tmp_path})
    assert result.manifest is not None
    entry = result.manifest["layer_sensitivity"]["model.layers.1.mlp.down_proj.quant_recipe"]
    assert (entry["status"], entry["importance"]) == ("scored", 0.0)
    assert result.manifest["autoquant_state"]["status"] == "optimal"


def test_an_unused_layer_is_never_called_harmless(tmp_path: Path, llama_suite: Callable[..., Suite]) -> None:
    """With an output projection of zeros, nothing that attention computes reaches the loss."""
    from transformers import LlamaForCausalLM

    build_llama(tmp_path)
    model = LlamaForCausalLM.from_pretrained(tmp_path)
    with torch.no_grad():
        model.model.layers[1].self_attn.o_proj.weight.zero_()
    model.save_pretrained(tmp_path)
    (result,) = run_cases(llama_suite().select("wfp8_afp8 and small"), device="cpu", model_paths={"llama": tmp_path})
    assert result.manifest is not None
    entries = result.manifest["layer_sensitivity"]
    name = "model.layers.1.self_attn.q_proj.quant_recipe"
    assert entries[name]["status"] == "not_exercised"
    assert (entries[name]["importance"], entries[name]["rank"], entries[name]["predicted_kl"]) == (None, None, None)
    assert name not in [row["name"] for row in result.manifest["sensitivity_ranking"]]
    ranks = sorted(entry["rank"] for entry in entries.values() if entry["rank"] is not None)
    assert ranks == list(range(1, len(entries) - 1))
    assert result.manifest["autoquant_state"]["status"] == "partial"
    assert not result.manifest["layers"]["model.layers.1.self_attn.q_proj"]["quantized"]


def test_a_case_with_numbers_that_are_none_has_a_valid_manifest(
    monkeypatch: pytest.MonkeyPatch, llama_suite: Callable[..., Suite]
) -> None:
    from auto_quantize_model.engine.capture import batches
    from auto_quantize_model.manifest.document import check_manifest, dumps

    def infinite_loss(logits: torch.Tensor, batch: batches.TokenBatch) -> torch.Tensor:
        return batches.counted_loss(logits, batch) * float("inf")

    monkeypatch.setattr("auto_quantize_model.engine.capture.recording.counted_loss", infinite_loss)
    (result,) = run_cases(llama_suite().select("wfp8_afp8 and small"), device="cpu")
    assert result.manifest is not None
    check_manifest(result.manifest)
    assert "NaN" not in dumps(result.manifest)
    assert result.manifest["autoquant_state"]["status"] == "not_finite"
    assert result.manifest["sensitivity_ranking"] == []
