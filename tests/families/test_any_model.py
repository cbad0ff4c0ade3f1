"""Architectures that the project has no line of code for: one `model.yaml`, and replay equals ModelOpt."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.places import SUITE
from tests.small_models import build_gemma3, build_llama, build_qwen2_5_vl, build_qwen3, build_smolvlm

from auto_quantize_model import InputError, load_suite, run_cases
from auto_quantize_model.checkpoints.opening import open_checkpoint
from auto_quantize_model.engine.capture.groups import find_groups
from auto_quantize_model.families import load_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auto_quantize_model import Suite
    from auto_quantize_model.families.loaded import LoadedModel

    Build = Callable[[Path], None]

# What builds it, its family, and the language model's place in it.
MODELS: dict[str, tuple[Build, str, str]] = {
    "llama": (build_llama, "causal_lm", ""),
    "qwen3": (build_qwen3, "causal_lm", ""),
    "qwen2_5_vl": (build_qwen2_5_vl, "vlm", "model.language_model"),
    "gemma3": (build_gemma3, "vlm", "model.language_model"),
    "smolvlm": (build_smolvlm, "vlm", "model.text_model"),
}


@pytest.fixture(scope="module", params=MODELS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def suite(name: str, tmp_path_factory: pytest.TempPathFactory) -> Suite:
    build, family, _ = MODELS[name]
    root = tmp_path_factory.mktemp(name)
    build(root / name / "checkpoint")
    (root / name / "model.yaml").write_text(f"family: {family}\ndtype: float32\n", encoding="utf-8")
    return load_suite(SUITE, models_root=root, overrides=[f"suite.models=[{name}]"])


def load(suite: Suite) -> LoadedModel:
    case = suite.cases[0]
    return load_model(case.model, open_checkpoint(case.checkpoint), torch.device("cpu"))


def test_replay_equals_modelopt(name: str, suite: Suite) -> None:
    cases = suite.select("small and (wint8_aint8 or wfp4_afp16)")
    ours, theirs = run_cases(cases, device="cpu"), run_cases(cases, device="cpu", engine="modelopt")
    for mine, reference in zip(ours, theirs, strict=True):
        assert (mine.error, reference.error) == (None, None)
        assert mine.scores is not None
        assert reference.scores is not None
        assert len(mine.scores.groups) == 8
        prefix = f"{MODELS[name][2] or 'model'}.layers."
        assert all(group.group.name.startswith(prefix) for group in mine.scores.groups)
        assert [group.group for group in mine.scores.groups] == [group.group for group in reference.scores.groups]
        expected = [group.score for group in reference.scores.groups]
        assert min(expected) > 0
        assert [group.score for group in mine.scores.groups] == pytest.approx(expected, rel=1e-4)


def test_only_the_language_model_is_in_scope(name: str, suite: Suite) -> None:
    loaded = load(suite)
    assert (loaded.language_model, loaded.head) == (MODELS[name][2], "lm_head")
    mine = {name for group in find_groups(loaded).groups for name in group.members}
    every = {found for found, module in loaded.model.named_modules() if isinstance(module, torch.nn.Linear)}
    assert len(mine) == 14
    assert every - mine <= set(loaded.disabled_layers())
    assert not mine & set(loaded.disabled_layers())


@torch.inference_mode()
def test_text_passes_through_nothing_else(suite: Suite) -> None:
    loaded = load(suite)
    ids = torch.arange(6, 30).reshape(2, 12)
    before = loaded.model(input_ids=ids).logits
    used = {parameter for name in (loaded.language_model, loaded.head) for parameter in part(loaded, name)}
    for module in loaded.model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter not in used:
                setattr(module, name, torch.nn.Parameter(parameter.to("meta"), requires_grad=False))
    assert torch.equal(loaded.model(input_ids=ids).logits, before)


def part(loaded: LoadedModel, name: str) -> list[torch.nn.Parameter]:
    return list(loaded.model.get_submodule(name).parameters())


def test_a_tensor_without_a_place_is_refused(suite: Suite) -> None:
    folder = suite.cases[0].checkpoint
    tensors = load_file(folder / "model.safetensors")
    try:
        extra = {"model.layers.7.mlp.up_proj.weight": torch.zeros(2, 2)}
        save_file({**tensors, **extra}, folder / "model.safetensors", {"format": "pt"})
        with pytest.raises(InputError, match=r"1 tensors have no place in .*layers\.7\.mlp\.up_proj") as caught:
            load(suite)
        assert "\n" not in str(caught.value)
        # What older checkpoints have beside their weights is no mistake.
        older = {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.zeros(8)}
        save_file({**tensors, **older}, folder / "model.safetensors", {"format": "pt"})
        load(suite)
    finally:
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def test_the_wrong_family_is_one_line(tmp_path: Path) -> None:
    build_llama(tmp_path)
    settings = load_suite(SUITE).select("tiny")[0].model.model_copy(update={"family": "vlm"})
    with pytest.raises(InputError, match="model_type 'llama' is no model of images and text; set `family: causal_lm`"):
        load_model(settings, open_checkpoint(tmp_path), torch.device("cpu"))


def test_the_vlm_family_takes_the_embedded_model_as_its_own_does() -> None:
    (case,) = load_suite(SUITE).select("tiny and wfp8_afp8 and small")
    other = dataclasses.replace(case, model=case.model.model_copy(update={"family": "vlm"}))
    (own,), (general,) = (list(run_cases([each], device="cpu")) for each in (case, other))
    assert own.manifest is not None
    assert general.manifest is not None
    assert general.manifest["layer_sensitivity"] == own.manifest["layer_sensitivity"]
