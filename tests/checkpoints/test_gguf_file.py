"""A checkpoint in one GGUF file: loaded whole, refused in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from tests.places import SUITE
from tests.small_models import build_llama_gguf

from auto_quantize_model import InputError, load_suite, run_cases
from auto_quantize_model.checkpoints.opening import open_checkpoint
from auto_quantize_model.families import load_model

if TYPE_CHECKING:
    from pathlib import Path

    from auto_quantize_model.families.loaded import LoadedModel

SETTINGS = load_suite(SUITE).select("tiny")[0].model.model_copy(update={"family": "causal_lm"})


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("gguf") / "llama.gguf"
    build_llama_gguf(file)
    return file


@pytest.fixture
def file(committed: Path, tmp_path: Path) -> Path:
    copy = tmp_path / committed.name
    copy.write_bytes(committed.read_bytes())
    return copy


def load(file: Path, family: str = "causal_lm") -> LoadedModel:
    settings = SETTINGS.model_copy(update={"family": family})
    return load_model(settings, open_checkpoint(file, "bring it again"), torch.device("cpu"))


def message_of(file: Path, family: str = "causal_lm") -> str:
    with pytest.raises(InputError) as caught:
        load(file, family)
    assert "\n" not in str(caught.value)
    assert str(file) in str(caught.value)
    return str(caught.value)


def test_it_runs_like_any_other(file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (file.parent / "models" / "mine").mkdir(parents=True)
    (file.parent / "models" / "mine" / "model.yaml").write_text(
        f"family: causal_lm\ndtype: float32\npath: {file}\n", encoding="utf-8"
    )
    suite = load_suite(SUITE, models_root=file.parent / "models", overrides=["suite.models=[mine]"])
    (result,) = run_cases(suite.select("wint8_afp16 and small"), device="cpu")
    assert result.manifest is not None
    assert len(result.manifest["layer_sensitivity"]) == 2 * 4 + 1
    assert result.manifest["model"]["checkpoint_sha256"] == open_checkpoint(file).fingerprint
    assert capfd.readouterr() == ("", "")


def test_the_tokenizer_pads_with_the_end_token_that_the_file_states(file: Path) -> None:
    tokenizer = load(file).tokenizer
    assert (tokenizer.eos_token_id, tokenizer.pad_token_id) == (2, None)
    text = "A man rides a brown horse."
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_the_fingerprint_is_of_the_tensors(file: Path) -> None:
    before = open_checkpoint(file).fingerprint
    content = bytearray(file.read_bytes())
    content[-40] ^= 1
    file.write_bytes(content)
    assert open_checkpoint(file).fingerprint != before


@pytest.mark.parametrize("kept", [5, 1000, 100_000, -1000])
def test_half_a_file(file: Path, kept: int) -> None:
    file.write_bytes(file.read_bytes()[:kept])
    message = message_of(file)
    assert "not a whole GGUF file (" in message
    assert message.endswith("; bring it again")


@pytest.mark.parametrize("content", [b"", b"GG", b"<html>"])
def test_what_is_no_gguf_file(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    assert "no GGUF file, for it does not begin with GGUF; bring it again" in message_of(file)


def test_no_file(tmp_path: Path) -> None:
    assert "no such GGUF file" in message_of(tmp_path / "nowhere.gguf")


@pytest.mark.parametrize("family", ["qwen3_vl", "vlm"])
def test_families_that_need_safetensors(file: Path, family: str) -> None:
    message = message_of(file, family)
    assert f"the family {family} loads a folder of safetensors, no .gguf file; use `family: causal_lm`" in message
