"""Where a model is put; GPUs are played by what is said of their memory, the spreading itself is accelerate's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from auto_quantize_model import run_cases
from auto_quantize_model.checkpoints.opening import open_checkpoint
from auto_quantize_model.errors import CaseError
from auto_quantize_model.families import load_model, placement
from auto_quantize_model.manifest.document import dumps

if TYPE_CHECKING:
    from collections.abc import Callable

    from auto_quantize_model import Suite
    from auto_quantize_model.families.loaded import LoadedModel

CUDA = torch.device("cuda")


@pytest.fixture
def loaded(llama_suite: Callable[..., Suite]) -> LoadedModel:
    case = llama_suite().cases[0]
    return load_model(case.model, open_checkpoint(case.checkpoint), torch.device("cpu"))


def test_a_model_that_is_spread_scores_the_same_bytes(
    monkeypatch: pytest.MonkeyPatch, llama_suite: Callable[..., Suite]
) -> None:
    cases = llama_suite().select("small and (wfp8_afp8 or wmxfp4_afp16)")
    expected = [dumps(result.manifest or {}) for result in run_cases(cases, device="cpu")]
    spread: list[bool] = []

    def place(loaded: LoadedModel, _device: torch.device) -> None:
        placement.spread(loaded, {"cpu": 1 << 30})
        spread.append(hasattr(loaded.model.model.layers[0], "_hf_hook"))

    monkeypatch.setattr("auto_quantize_model.families.place", place)
    assert [dumps(result.manifest or {}) for result in run_cases(cases, device="cpu")] == expected
    assert spread == [True]


def test_a_model_larger_than_one_gpu_is_spread_over_all(monkeypatch: pytest.MonkeyPatch, loaded: LoadedModel) -> None:
    asked: list[dict[int | str, int]] = []
    monkeypatch.setattr(placement, "free_device_memory", lambda _: 1_000_000)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(placement, "spread", lambda _loaded, most: asked.append(most))
    placement.place(loaded, CUDA)
    assert asked == [dict.fromkeys(range(3), 700_000)]


def test_what_a_model_before_left_in_the_allocator_is_free(
    monkeypatch: pytest.MonkeyPatch, loaded: LoadedModel
) -> None:
    free = [1_000]
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free[0], 10_000_000))
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: free.append(free.pop() + 9_000_000))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(placement, "spread", lambda *_: pytest.fail("there is room"))
    put: list[torch.device] = []
    monkeypatch.setattr(torch.nn.ModuleList, "to", lambda _, device: put.append(device))
    placement.place(loaded, CUDA)
    assert put == [CUDA]


def test_the_only_gpu_is_tried_with_a_model_that_leaves_it_little(
    monkeypatch: pytest.MonkeyPatch, loaded: LoadedModel
) -> None:
    monkeypatch.setattr(placement, "free_device_memory", lambda _: 1_500_000)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    put: list[torch.device] = []
    monkeypatch.setattr(torch.nn.ModuleList, "to", lambda _, device: put.append(device))
    placement.place(loaded, CUDA)
    assert put == [CUDA]


def test_a_model_larger_than_all_is_one_line(loaded: LoadedModel) -> None:
    with pytest.raises(CaseError, match=r"the model takes 1\.4 MB, and the GPUs that can be seen have 0\.1 MB for it"):
        placement.spread(loaded, {"cpu": 100_000})


def test_a_model_larger_than_the_named_gpu_is_one_line(monkeypatch: pytest.MonkeyPatch, loaded: LoadedModel) -> None:
    monkeypatch.setattr(placement, "free_device_memory", lambda _: 1_000_000)
    with pytest.raises(CaseError, match=r"takes 1\.4 MB, and 'cuda:1' has 1\.0 MB free; let it choose among all GPUs"):
        placement.place(loaded, torch.device("cuda:1"))
