from __future__ import annotations

import gc
import itertools
import weakref
from typing import TYPE_CHECKING

import pytest
import torch
from tests.small_models import build_gemma3

from auto_quantize_model import run_cases
from auto_quantize_model.checkpoints.opening import open_checkpoint
from auto_quantize_model.engine.capture.batches import tokenize
from auto_quantize_model.engine.capture.captured import capture
from auto_quantize_model.engine.capture.groups import find_groups
from auto_quantize_model.engine.machine.products import product
from auto_quantize_model.engine.replay.replay import replay
from auto_quantize_model.engine.replay.rows import describe_rows
from auto_quantize_model.families import load_model
from auto_quantize_model.plan import format_key, plan_passes
from auto_quantize_model.precision.capability import check_format
from auto_quantize_model.precision.formats import resolve_format

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auto_quantize_model import Suite
    from auto_quantize_model.families.loaded import LoadedModel
    from auto_quantize_model.plan import PassPlan

CPU = torch.device("cpu")


def loaded_and_planned(suite: Suite, expression: str) -> tuple[LoadedModel, PassPlan]:
    (plan,) = plan_passes(suite.select(expression))
    case = plan.cases[0]
    return load_model(case.model, open_checkpoint(case.checkpoint), CPU), plan


def test_rows_are_the_positions_that_the_loss_counts(llama_suite: Callable[..., Suite]) -> None:
    loaded, plan = loaded_and_planned(llama_suite("dataset.size_to_max_samples.small=13"), "wfp8_afp8 and small")
    batches = tokenize(plan, loaded)
    captured = capture(loaded, find_groups(loaded), batches, plan.scored, plan.probes)
    rows = describe_rows(plan, batches, plan.scored)
    tokens = [len(ids) for ids in loaded.tokenizer(list(plan.captions))["input_ids"]]
    assert len(rows.batch) == sum(tokens) - len(tokens)
    assert [int((rows.sample == sample).sum()) for sample in range(13)] == [count - 1 for count in tokens]
    for seen in map(captured.take, captured.layout.groups):
        assert sum(len(each) for each in seen.inputs) == len(rows.batch)
        for gradients in seen.gradients.values():
            assert [[len(of_kind) for of_kind in each] for each in gradients] == [
                [len(each)] * (1 + plan.probes) for each in seen.inputs
            ]


def test_batches_that_only_calibrate_record_maxima_alone(llama_suite: Callable[..., Suite]) -> None:
    loaded, plan = loaded_and_planned(llama_suite("autoquant.score_size=16"), "wfp8_afp8 and medium")
    heads: list[int] = []
    loaded.model.lm_head.register_forward_hook(lambda *_: heads.append(1))
    batches = tokenize(plan, loaded)
    captured = capture(loaded, find_groups(loaded), batches, plan.scored, plan.probes)
    assert len(heads) == 2, "no logits where there is nothing to score"
    assert (captured.maxima() > 0).all()
    assert captured.maxima().shape == (len(captured.layout.groups), 16)
    for seen in map(captured.take, captured.layout.groups):
        assert len(seen.inputs) == 2


def test_the_model_is_as_before_after_a_capture(llama_suite: Callable[..., Suite]) -> None:
    loaded, plan = loaded_and_planned(llama_suite(), "wfp8_afp8 and small")
    batches = tokenize(plan, loaded)
    before = loaded.model(**batches[0].inputs).logits
    capture(loaded, find_groups(loaded), batches, plan.scored, plan.probes)
    assert torch.equal(loaded.model(**batches[0].inputs).logits, before)
    for module in loaded.model.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks


def test_replay_empties_the_capture_and_reports_progress(llama_suite: Callable[..., Suite]) -> None:
    loaded, plan = loaded_and_planned(llama_suite(), "wfp8_afp8 and small")
    batches = tokenize(plan, loaded)
    captured = capture(loaded, find_groups(loaded), batches, plan.scored, plan.probes)
    quantizers, _ = check_format(resolve_format(plan.cases[0].pair.format), CPU)
    left: list[tuple[str, int, int, int]] = []

    def progress(stage: str, done: int, total: int) -> None:
        left.append((stage, done, total, len(captured.batches[0].inputs)))

    rows = describe_rows(plan, batches, plan.scored)
    replay(captured, loaded, plan, rows, {format_key(plan.cases[0]): quantizers}, progress)
    # A group is finished once the next has begun.
    assert left == [("replay", done, 8, max(7 - done, 0)) for done in range(1, 9)]


def test_nothing_of_a_finished_capture_stays_alive(llama_suite: Callable[..., Suite]) -> None:
    loaded, plan = loaded_and_planned(llama_suite(), "wfp8_afp8 and small")
    batches = tokenize(plan, loaded)
    captured = capture(loaded, find_groups(loaded), batches, plan.scored, plan.probes)
    model = weakref.ref(loaded.model)
    tensors = [
        weakref.ref(tensor)
        for batch in captured.batches.values()
        for tensor in (*batch.inputs.values(), *itertools.chain(*batch.gradients.values()))
    ]
    assert tensors
    captured.batches.clear()
    del captured, loaded
    gc.collect()
    assert model() is None
    assert not any(tensor() is not None for tensor in tensors)


def test_a_pass_reports_its_stages(llama_suite: Callable[..., Suite]) -> None:
    seen: list[tuple[str, int, int]] = []
    list(run_cases(llama_suite().select("small"), device="cpu", progress=lambda *event: seen.append(event)))
    assert seen[:2] == [("load", 0, 1), ("load", 1, 1)]
    assert seen[2:4] == [("capture", 1, 2), ("capture", 2, 2)]
    assert seen[-1] == ("replay", 8, 8)


def test_a_model_that_sees_the_future_is_refused(llama_suite: Callable[..., Suite]) -> None:
    loaded, plan = loaded_and_planned(llama_suite(), "wfp8_afp8 and small")
    batches = tokenize(plan, loaded)
    mix = loaded.model.model.layers[0].register_forward_hook(
        lambda _m, _i, output: output + output.mean(1, keepdim=True)
    )
    with pytest.raises(RuntimeError, match="receive gradient, so the model is not causal, which replay does not cover"):
        capture(loaded, find_groups(loaded), batches, plan.scored, plan.probes)
    mix.remove()


def test_a_vision_tower_is_never_in_scope(tmp_path: Path, llama_suite: Callable[..., Suite]) -> None:
    build_gemma3(tmp_path)
    (result,) = run_cases(llama_suite().select("small and wfp8_afp8"), device="cpu", model_paths={"llama": tmp_path})
    assert result.error is None
    assert result.manifest is not None
    entries = result.manifest["layer_sensitivity"]
    assert len(entries) == 2 * 4 + 1
    assert not any("vision" in name for name in entries)
    assert {entry["status"] for entry in entries.values()} == {"scored", "disabled"}


def test_groups_are_named_after_their_first_member(llama_suite: Callable[..., Suite]) -> None:
    loaded, _ = loaded_and_planned(llama_suite(), "wfp8_afp8 and small")
    layout = find_groups(loaded)
    prefix = "model.layers.0"
    assert [group.members for group in layout.groups[:4]] == [
        (f"{prefix}.self_attn.q_proj", f"{prefix}.self_attn.k_proj", f"{prefix}.self_attn.v_proj"),
        (f"{prefix}.self_attn.o_proj",),
        (f"{prefix}.mlp.gate_proj", f"{prefix}.mlp.up_proj"),
        (f"{prefix}.mlp.down_proj",),
    ]
    assert layout.head.name == "lm_head"


def test_products_are_those_of_torch() -> None:
    torch.manual_seed(0)
    rows, weight = torch.randn(37, 96), torch.randn(50, 96)
    exact = rows.double() @ weight.double().T
    assert torch.allclose(product(rows, weight).double(), exact, atol=1e-4)
