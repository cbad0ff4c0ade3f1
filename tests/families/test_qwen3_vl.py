from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.places import SUITE, TINY
from transformers import Qwen3VLForConditionalGeneration

from auto_quantize_model import load_suite, run_cases
from auto_quantize_model.checkpoints.opening import open_checkpoint
from auto_quantize_model.families import load_model

if TYPE_CHECKING:
    from pathlib import Path

CASE = load_suite(SUITE).select("tiny and wfp8_afp16 and small")[0]
CPU = torch.device("cpu")


def test_the_language_model_is_the_whole_models_own() -> None:
    loaded = load_model(CASE.model, open_checkpoint(TINY / "checkpoint"), CPU)
    whole = Qwen3VLForConditionalGeneration.from_pretrained(TINY / "checkpoint", dtype=torch.float32).eval()
    ids = torch.arange(5, 45).reshape(2, 20)
    mask = torch.ones_like(ids)
    mask[0, :7] = 0
    with torch.inference_mode():
        mine = loaded.model(input_ids=ids, attention_mask=mask).logits
        theirs = whole(input_ids=ids, attention_mask=mask).logits
    assert torch.equal(mine[mask.bool()], theirs[mask.bool()])
    names = {name for name, _ in whole.named_modules() if "visual" not in name}
    assert {name for name, _ in loaded.model.named_modules()} == names
    assert not any("visual" in name for name, _ in loaded.model.named_parameters())


def test_the_vision_tower_is_never_read(tmp_path: Path) -> None:
    folder = shutil.copytree(TINY / "checkpoint", tmp_path / "checkpoint")
    tensors = load_file(folder / "model.safetensors")
    assert any("visual" in name for name in tensors)
    kept = {name: tensor for name, tensor in tensors.items() if "visual" not in name}
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    (whole,) = run_cases([CASE], device="cpu")
    (alone,) = run_cases([CASE], device="cpu", model_paths={"qwen3_vl_tiny": folder})
    assert whole.manifest is not None
    assert alone.manifest is not None
    assert whole.manifest["layer_sensitivity"] == alone.manifest["layer_sensitivity"]


def test_a_head_of_its_own_is_loaded(tmp_path: Path) -> None:
    folder = shutil.copytree(TINY / "checkpoint", tmp_path / "checkpoint")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["tie_word_embeddings"] = config["text_config"]["tie_word_embeddings"] = False
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    tensors = load_file(folder / "model.safetensors")
    with pytest.raises(ValueError, match=r"1 tensors are missing, 'lm_head\.weight' first"):
        load_model(CASE.model, open_checkpoint(folder), CPU)
    head = torch.randn_like(tensors["model.language_model.embed_tokens.weight"])
    save_file({**tensors, "lm_head.weight": head}, folder / "model.safetensors", {"format": "pt"})
    loaded = load_model(CASE.model, open_checkpoint(folder), CPU)
    assert torch.equal(loaded.model.lm_head.weight, head.float())


def test_what_is_committed_is_what_the_design_wants() -> None:
    config = json.loads((TINY / "checkpoint" / "config.json").read_text(encoding="utf-8"))
    text = config["text_config"]
    assert text["num_key_value_heads"] < text["num_attention_heads"]
    assert text["num_hidden_layers"] >= 6
    assert config["vision_config"]["deepstack_visual_indexes"]
    assert sum(file.stat().st_size for file in (TINY / "checkpoint").iterdir()) < 10_000_000


@pytest.mark.parametrize("pair", ["wfp8_afp8", "wfp4_afp16", "wint8_aint8"])
def test_its_scores_span_two_orders_of_magnitude(pair: str) -> None:
    (result,) = run_cases(load_suite(SUITE).select(f"tiny and {pair} and medium"), device="cpu")
    assert result.scores is not None
    scores = [group.score for group in result.scores.groups]
    assert max(scores) > 100 * min(scores) > 0
