"""Checkpoints of something else than an unquantized causal language model: one line each, with the true way out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
import transformers
from tests.places import SUITE
from tests.small_models import (
    build_adapter,
    build_classifier,
    build_encoder,
    build_encoder_decoder,
    build_headless,
    build_llama,
)

from auto_quantize_model import InputError, load_suite
from auto_quantize_model.cases.settings import FAMILIES
from auto_quantize_model.checkpoints.opening import open_checkpoint
from auto_quantize_model.families import load_model

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = load_suite(SUITE).select("tiny")[0].model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "checkpoint"


def message_of(folder: Path, family: str = "causal_lm") -> str:
    with pytest.raises(InputError) as caught:
        load_model(SETTINGS.model_copy(update={"family": family}), open_checkpoint(folder), torch.device("cpu"))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def change_json(file: Path, **changes: Any) -> None:
    values = {**json.loads(file.read_text(encoding="utf-8")), **changes}
    kept = {key: value for key, value in values.items() if value is not None}
    file.write_text(json.dumps(kept), encoding="utf-8")


def test_a_lora_adapter(folder: Path) -> None:
    build_adapter(folder, "meta-llama/Llama-3.2-1B")
    assert message_of(folder) == (
        f"{folder / 'adapter_config.json'}: a LoRA adapter of meta-llama/Llama-3.2-1B, not a whole model; "
        "merge it into its base model (peft's merge_and_unload) and name the folder that this is saved to"
    )


def test_a_lora_adapter_beside_whole_weights(folder: Path) -> None:
    build_adapter(folder, "somebody/else")
    build_llama(folder)
    assert message_of(folder) == (
        f"{folder / 'adapter_config.json'}: an adapter beside whole weights; remove it if it is merged into them"
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_a_sequence_classifier(folder: Path, family: str) -> None:
    build_classifier(folder)
    assert message_of(folder, family) == (
        f"{folder / 'config.json'}: LlamaForSequenceClassification is a classifier, and sensitivity is scored on the "
        "prediction of the next token; use the causal language model that it was made from"
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_an_encoder_decoder(folder: Path, family: str) -> None:
    build_encoder_decoder(folder)
    assert message_of(folder, family) == (
        f"{folder / 'config.json'}: T5ForConditionalGeneration is an encoder-decoder, and sensitivity is scored on "
        "causal language models; use a decoder-only model"
    )


def test_an_encoder(folder: Path) -> None:
    build_encoder(folder)
    assert "config.json: BertForMaskedLM fills gaps in a text that it sees as a whole, and" in message_of(folder)


def test_a_model_without_its_head(folder: Path) -> None:
    build_headless(folder)
    assert message_of(folder) == (
        f"{folder}: has no output head ('lm_head.weight'), as a model has that was saved without it; "
        "use the checkpoint of the whole LlamaForCausalLM, or download the checkpoint again"
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_with_code_of_its_own(folder: Path, family: str) -> None:
    build_llama(folder)
    auto_map = {"AutoConfig": "configuration_mine.Config", "AutoModelForCausalLM": "modeling_mine.Model"}
    change_json(folder / "config.json", model_type="mine", architectures=["Model"], auto_map=auto_map)
    assert message_of(folder, family) == (
        f"{folder / 'config.json'}: model_type 'mine' needs code that comes with the checkpoint (auto_map), which is "
        f"never run; use a checkpoint whose architecture the installed transformers {transformers.__version__} has "
        "itself"
    )


def test_code_that_transformers_has_itself_is_not_needed(folder: Path) -> None:
    build_llama(folder)
    change_json(folder / "config.json", auto_map={"AutoModelForCausalLM": "modeling_mine.Model"})
    (folder / "modeling_mine.py").write_text("raise SystemExit", encoding="utf-8")
    loaded = load_model(
        SETTINGS.model_copy(update={"family": "causal_lm"}), open_checkpoint(folder), torch.device("cpu")
    )
    assert type(loaded.model) is transformers.LlamaForCausalLM


def test_a_tokenizer_with_code_of_its_own(folder: Path) -> None:
    build_llama(folder)
    auto_map = {"AutoTokenizer": ["tokenization_mine.Tokenizer", None]}
    change_json(folder / "tokenizer_config.json", tokenizer_class="Tokenizer", auto_map=auto_map)
    assert message_of(folder) == (
        f"{folder}: the tokenizer cannot be loaded: it needs code that comes with it, which is never run; "
        "save it as a tokenizer.json, and take auto_map out of tokenizer_config.json"
    )


def test_a_config_that_names_no_architecture(folder: Path) -> None:
    build_llama(folder)
    change_json(folder / "config.json", model_type=None)
    assert message_of(folder) == (
        f"{folder / 'config.json'}: has no 'model_type', so nothing tells which architecture this is; "
        "download the checkpoint again"
    )


@pytest.mark.parametrize("written_by", [None, transformers.__version__, "9.1.0"])
def test_an_architecture_that_no_transformers_has(folder: Path, written_by: str | None) -> None:
    build_llama(folder)
    change_json(folder / "config.json", model_type="zzz", transformers_version=written_by)
    message = message_of(folder)
    assert f"model_type 'zzz' is unknown to the installed transformers {transformers.__version__}; " in message
    assert ("install a version that has it" in message) == (written_by == "9.1.0")
    assert len(message) < 300


@pytest.mark.parametrize(
    ("method", "family"), [*(("gptq", family) for family in FAMILIES), ("fp8", "causal_lm"), (None, "causal_lm")]
)
def test_weights_that_are_quantized_already(folder: Path, method: str | None, family: str) -> None:
    build_llama(folder)
    change_json(folder / "config.json", quantization_config={"quant_method": method, "bits": 4})
    assert message_of(folder, family) == (
        f"{folder / 'config.json'}: the weights are quantized already{f' ({method})' if method else ''}, and "
        "sensitivity is scored on unquantized ones; use the checkpoint that they were quantized from"
    )
