"""Checkpoints that are missing, half there, foreign or broken: each is one clear line."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.places import SUITE, TINY
from tests.small_models import build_llama

from auto_quantize_model import InputError, load_suite, run_cases
from auto_quantize_model.checkpoints.opening import open_checkpoint
from auto_quantize_model.families import load_model

if TYPE_CHECKING:
    from pathlib import Path

    from auto_quantize_model.cases.settings import ModelSettings
    from auto_quantize_model.families.loaded import LoadedModel

CPU = torch.device("cpu")
TINY_SETTINGS = load_suite(SUITE).select("tiny")[0].model
LLAMA_SETTINGS = TINY_SETTINGS.model_copy(update={"name": "llama", "family": "causal_lm"})
QUERY = "model.language_model.layers.3.self_attn.q_proj.weight"


def load(settings: ModelSettings, folder: Path) -> LoadedModel:
    return load_model(settings, open_checkpoint(folder), CPU)


def message_of(settings: ModelSettings, folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        load(settings, folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)
    return str(caught.value)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return shutil.copytree(TINY / "checkpoint", tmp_path / "checkpoint")


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    build_llama(tmp_path / "llama")
    return tmp_path / "llama"


def change_config(folder: Path, **changes: object) -> None:
    file = folder / "config.json"
    config = {**json.loads(file.read_text(encoding="utf-8")), **changes}
    file.write_text(json.dumps(config), encoding="utf-8")


def change_tensors(folder: Path, changes: dict[str, torch.Tensor | None]) -> None:
    file = folder / "model.safetensors"
    tensors = {**load_file(file), **changes}
    save_file({name: tensor for name, tensor in tensors.items() if tensor is not None}, file, {"format": "pt"})


def shard(folder: Path) -> None:
    """Split a single-file checkpoint into two shards with an index."""
    tensors = load_file(folder / "model.safetensors")
    names = sorted(tensors)
    halves = {"model-1-of-2.safetensors": names[::2], "model-2-of-2.safetensors": names[1::2]}
    for file, mine in halves.items():
        save_file({name: tensors[name] for name in mine}, folder / file, {"format": "pt"})
    weight_map = {name: file for file, mine in halves.items() for name in mine}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}), encoding="utf-8")
    (folder / "model.safetensors").unlink()


def test_a_missing_folder(tmp_path: Path) -> None:
    assert "no checkpoint folder" in message_of(TINY_SETTINGS, tmp_path / "nowhere")


def test_an_empty_folder(tmp_path: Path) -> None:
    assert "config.json: no such file, so this is not a whole checkpoint" in message_of(TINY_SETTINGS, tmp_path)


def test_a_config_that_is_no_json(tiny: Path) -> None:
    (tiny / "config.json").write_text("{", encoding="utf-8")
    assert "config.json: not valid JSON" in message_of(TINY_SETTINGS, tiny)


def test_missing_weights(tiny: Path) -> None:
    (tiny / "model.safetensors").unlink()
    assert "no weights: neither model.safetensors nor" in message_of(TINY_SETTINGS, tiny)


def test_pickled_weights_are_never_loaded(tiny: Path) -> None:
    (tiny / "model.safetensors").rename(tiny / "pytorch_model.bin")
    assert "only pickled weights (pytorch_model.bin), which are never loaded" in message_of(TINY_SETTINGS, tiny)


def test_a_download_that_stopped(tiny: Path) -> None:
    # Where `hf download --local-dir` keeps what it has not finished.
    begun = tiny / ".cache" / "huggingface" / "download"
    begun.mkdir(parents=True)
    (tiny / "model.safetensors").rename(begun / "model.safetensors.abc.incomplete")
    with pytest.raises(InputError, match=r"has not finished downloading; finish the download: hf download"):
        open_checkpoint(tiny, "finish the download: hf download someone/something")


@pytest.mark.parametrize("kept", [0, 4, 1000, 100_000])
def test_truncated_weights(tiny: Path, kept: int) -> None:
    file = tiny / "model.safetensors"
    file.write_bytes(file.read_bytes()[:kept])
    assert "model.safetensors: not a whole safetensors file" in message_of(TINY_SETTINGS, tiny)


def test_a_missing_shard(tiny: Path) -> None:
    shard(tiny)
    load(TINY_SETTINGS, tiny)
    (tiny / "model-2-of-2.safetensors").unlink()
    message = message_of(TINY_SETTINGS, tiny)
    assert "half a checkpoint: 1 of 2 weight files are missing (model-2-of-2.safetensors first)" in message


def test_an_index_that_promises_too_much(tiny: Path) -> None:
    shard(tiny)
    file = tiny / "model.safetensors.index.json"
    index = json.loads(file.read_text(encoding="utf-8"))
    index["weight_map"]["model.extra.weight"] = "model-1-of-2.safetensors"
    file.write_text(json.dumps(index), encoding="utf-8")
    assert "the tensor 'model.extra.weight' is missing from it" in message_of(TINY_SETTINGS, tiny)


@pytest.mark.parametrize("shard", [5, None, ["x"], "../outside.safetensors", ""])
def test_an_index_that_names_no_file_of_the_folder(tiny: Path, shard: object) -> None:
    (tiny / "model.safetensors").unlink()
    index = {"weight_map": {"a": shard}}
    (tiny / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    assert "the tensor 'a' is said to be in" in message_of(TINY_SETTINGS, tiny)


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_size": "wide"},
        {"num_attention_heads": 0},
        {"hidden_act": "none"},
        {"dtype": "float7"},
        {"architectures": 5},
    ],
)
def test_a_config_that_makes_no_model(llama: Path, changes: dict[str, object]) -> None:
    change_config(llama, **changes)
    assert "cannot be loaded: " in message_of(LLAMA_SETTINGS, llama)


def test_a_vision_config_that_makes_no_model(tiny: Path) -> None:
    change_config(tiny, vision_config=5)
    assert "no Qwen3-VL model can be built: " in message_of(TINY_SETTINGS, tiny)


def test_a_config_that_is_a_folder(tiny: Path) -> None:
    (tiny / "config.json").unlink()
    (tiny / "config.json").mkdir()
    assert "config.json: cannot be read" in message_of(TINY_SETTINGS, tiny)


def test_a_missing_tensor(tiny: Path, llama: Path) -> None:
    change_tensors(tiny, {QUERY: None})
    assert f"half a checkpoint: 1 tensors are missing, '{QUERY}' first" in message_of(TINY_SETTINGS, tiny)
    change_tensors(llama, {"model.layers.1.mlp.up_proj.weight": None})
    message = message_of(LLAMA_SETTINGS, llama)
    assert "half a checkpoint: 1 tensors are missing, 'model.layers.1.mlp.up_proj.weight' first" in message


def test_a_tensor_of_another_shape(tiny: Path, llama: Path) -> None:
    change_tensors(tiny, {QUERY: torch.zeros(3, 3)})
    assert QUERY in message_of(TINY_SETTINGS, tiny)
    change_tensors(llama, {"model.layers.1.mlp.up_proj.weight": torch.zeros(3, 3)})
    assert "model.layers.1.mlp.up_proj.weight" in message_of(LLAMA_SETTINGS, llama)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_named(tiny: Path, llama: Path, value: float) -> None:
    weight = load_file(tiny / "model.safetensors")[QUERY].clone()
    weight[0, :3] = value
    change_tensors(tiny, {QUERY: weight})
    assert f"the tensor '{QUERY}' has 3 NaN or infinite values" in message_of(TINY_SETTINGS, tiny)
    change_tensors(llama, {"model.norm.weight": torch.full((64,), value)})
    assert "the tensor 'model.norm.weight' has 64 NaN or infinite values" in message_of(LLAMA_SETTINGS, llama)


def test_another_architecture(llama: Path, tiny: Path) -> None:
    message = message_of(TINY_SETTINGS, llama)
    assert "model_type 'llama' is no Qwen3-VL model; set `family: causal_lm` in model.yaml" in message
    message = message_of(LLAMA_SETTINGS, tiny)
    assert "model_type 'qwen3_vl' is no causal language model; set `family: qwen3_vl` in model.yaml" in message


def test_an_architecture_that_transformers_does_not_have(llama: Path) -> None:
    change_config(llama, model_type="llama9", transformers_version="9.1.0")
    message = message_of(LLAMA_SETTINGS, llama)
    assert "model_type 'llama9' is unknown to the installed transformers" in message
    assert "the checkpoint was written by transformers 9.1.0: install a version that has it" in message


@pytest.mark.parametrize("broken", ["", "{}"])
def test_a_broken_tokenizer(tiny: Path, broken: str) -> None:
    (tiny / "tokenizer.json").write_text(broken, encoding="utf-8")
    assert "the tokenizer cannot be loaded" in message_of(TINY_SETTINGS, tiny)


def test_a_missing_tokenizer(tiny: Path) -> None:
    (tiny / "tokenizer.json").unlink()
    assert "no tokenizer files; put tokenizer.json or another tokenizer's beside the weights" in message_of(
        TINY_SETTINGS, tiny
    )


def test_a_foreign_tokenizer(tiny: Path) -> None:
    change_config(
        tiny, text_config={**json.loads((tiny / "config.json").read_text())["text_config"], "vocab_size": 600}
    )
    name = "model.language_model.embed_tokens.weight"
    change_tensors(tiny, {name: load_file(tiny / "model.safetensors")[name][:600].clone()})
    (case,) = load_suite(SUITE).select("tiny and wfp8_afp16 and small")
    with pytest.raises(InputError, match=r"the tokenizer gives token \d+, but the model has 600 tokens"):
        list(run_cases([case], device="cpu", model_paths={"qwen3_vl_tiny": tiny}))


def test_the_fingerprint_is_of_the_tensors_alone(tiny: Path) -> None:
    before = open_checkpoint(tiny).fingerprint
    change_config(tiny, transformers_version="0")
    shard(tiny)
    assert open_checkpoint(tiny).fingerprint == before
    weight = load_file(tiny / "model-1-of-2.safetensors")
    name = min(weight)
    weight[name].view(-1)[0] += 1
    save_file(weight, tiny / "model-1-of-2.safetensors", {"format": "pt"})
    assert open_checkpoint(tiny).fingerprint != before
