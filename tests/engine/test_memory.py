"""What a pass is predicted to take against what its tensors take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from tests.engine.live_memory import LiveTensors
from tests.places import SUITE
from tests.small_models import build_llama

from auto_quantize_model import load_suite
from auto_quantize_model.checkpoints.opening import open_checkpoint
from auto_quantize_model.engine import memory
from auto_quantize_model.engine.capture.batches import tokenize
from auto_quantize_model.engine.capture.captured import capture
from auto_quantize_model.engine.capture.groups import find_groups
from auto_quantize_model.engine.memory import predict
from auto_quantize_model.engine.replay.replay import replay
from auto_quantize_model.engine.replay.rows import describe_rows
from auto_quantize_model.families import load_model
from auto_quantize_model.plan import format_key, plan_passes
from auto_quantize_model.precision.capability import check_format
from auto_quantize_model.precision.formats import resolve_format

if TYPE_CHECKING:
    from pathlib import Path

CPU = torch.device("cpu")
SHAPES = {
    "wide": {"hidden_size": 512, "intermediate_size": 1536, "num_attention_heads": 8, "num_key_value_heads": 4},
    "deep": {"num_hidden_layers": 8},
    "wordy": {"vocab_size": 50_000},
}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_prediction_is_near_what_live_tensors_take(tmp_path: Path, shape: str, dtype: str) -> None:
    build_llama(tmp_path / "llama" / "checkpoint", **SHAPES[shape])
    (tmp_path / "llama" / "model.yaml").write_text(f"family: causal_lm\ndtype: {dtype}\n", encoding="utf-8")
    suite = load_suite(SUITE, models_root=tmp_path, overrides=["suite.models=[llama]"])
    (plan,) = plan_passes(suite.select("small and not wmxfp4_afp16"))
    case = plan.cases[0]
    loaded = load_model(case.model, open_checkpoint(case.checkpoint), CPU)
    layout, batches = find_groups(loaded), tokenize(plan, loaded)
    formats = {format_key(case): check_format(resolve_format(case.pair.format), CPU)[0] for case in plan.cases}
    needs = predict(loaded, layout, batches, plan, len({each.weight_key for each in formats.values()}))

    with LiveTensors([*loaded.model.parameters(), *loaded.model.buffers()]) as live:
        captured = capture(loaded, layout, batches, plan.scored, plan.probes)
        while_capturing = live.peak
        live.restart()
        held = live.peak
        replay(captured, loaded, plan, describe_rows(plan, batches, plan.scored), formats)
        while_replaying = live.peak

    assert needs.model == sum(each.nbytes for each in loaded.model.parameters())
    assert held == pytest.approx(needs.captured, rel=0.01)
    earlier = needs.captured * (1 - 1 / len(plan.scored))
    assert 0.5 * needs.capture < while_capturing - earlier < 1.1 * needs.capture
    assert 0.5 * needs.replay < while_replaying - held < 1.1 * needs.replay


def test_plans_on_a_gpu_shrink(monkeypatch: pytest.MonkeyPatch) -> None:
    needs = memory.Needs(model=8_000, captured=50_000, capture=3_000, replay=5_000)
    monkeypatch.setattr(memory, "free_device_memory", lambda _: 40_000)
    monkeypatch.setattr(memory, "free_host_memory", lambda: 20_000)
    cuda = torch.device("cuda")
    first, second, third = memory.plans(needs, [cuda], None)
    assert (first.device_bytes, first.host_bytes) == (31_000, 10_000)
    assert first.needs_files(needs)
    assert (second.device_bytes, second.chunk_elements) == (0, first.chunk_elements)
    assert third.chunk_elements < second.chunk_elements
    assert [plan.device_bytes for plan in memory.plans(needs, [cuda], 0)] == [0, 0]
    assert memory.plans(needs, [cuda], None, sharing=2)[0].device_bytes == 13_000
    assert {plan.host_bytes for plan in (second, third)} == {10_000}, "what the device cannot take, the host may not"


def test_processes_on_gpus_of_their_own_share_the_hosts_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    needs = memory.Needs(model=8_000, captured=50_000, capture=3_000, replay=5_000)
    monkeypatch.setattr(memory, "free_device_memory", lambda _: 40_000)
    monkeypatch.setattr(memory, "free_host_memory", lambda: 20_000)
    for device in ("cuda", "cpu"):
        found = memory.plans(needs, [torch.device(device)], None, sharing=1, processes=4)
        assert found[-1].device_bytes + found[-1].host_bytes == 2_500


def test_a_container_with_less_memory_than_its_machine_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "CONTROL_GROUP", tmp_path)
    unlimited = memory.free_host_memory()
    (tmp_path / "memory.current").write_text("400\n", encoding="ascii")
    (tmp_path / "memory.stat").write_text("anon 300\ninactive_file 100\n", encoding="ascii")
    (tmp_path / "memory.max").write_text("max\n", encoding="ascii")
    assert memory.free_host_memory() == pytest.approx(unlimited, rel=0.2)
    (tmp_path / "memory.max").write_text("1000\n", encoding="ascii")
    assert memory.free_host_memory() == 700
