"""A randomly initialised model of a real model's shape, with captions of the real captions' lengths."""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from benchmarks.measuring import suite_of
from benchmarks.random_qwen3_vl import build

if TYPE_CHECKING:
    from auto_quantize_model.cases.suite import Suite
    from benchmarks.gpu_check.device import Device
    from benchmarks.gpu_check.scale import Scale

LENGTHS = Path(__file__).with_name("coco2017_caption_tokens.json")
SIZES = {"small": 16, "medium": 128, "large": 512}
_PAD, _END = "<|endoftext|>", "<|im_end|>"


@dataclasses.dataclass(frozen=True, slots=True)
class BigModel:
    """A checkpoint on the disk, and the matrix for it."""

    suite: Suite
    gigabytes: float
    """How large its weights are."""
    lengths: tuple[int, ...]
    """How many tokens each caption has."""


def build_big_model(scale: Scale, device: Device, folder: Path) -> BigModel:
    """Make the checkpoint on the device, its tokenizer, its captions and a models tree around them."""
    checkpoint = folder / scale.model / "checkpoint"
    checkpoint.mkdir(parents=True, exist_ok=True)
    build(scale.shape, 1, checkpoint, getattr(torch, scale.dtype), device.name)
    device.forget_peak()
    words = scale.shape.vocabulary - 2
    _write_tokenizer(words, checkpoint)
    lengths = tuple(json.loads(LENGTHS.read_text(encoding="utf-8"))["tokens"])
    captions = write_captions(lengths, words, folder / "captions")
    weights = sum(file.stat().st_size for file in checkpoint.glob("*.safetensors"))
    places = (f"dataset.root={captions}", "dataset.captions_path=random_words_{size}.txt")
    suite = suite_of(folder, scale.model, "qwen3_vl", scale.dtype, *places)
    return BigModel(suite, weights / 1e9, lengths)


def write_captions(lengths: tuple[int, ...], words: int, folder: Path) -> Path:
    """Captions of these lengths, of words that are as uneven in use as those of a language."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = random.Random(0)  # noqa: S311  no secret
    captions = [" ".join(f"w{_rank(generator, words)}" for _ in range(length)) for length in lengths]
    for size, count in SIZES.items():
        text = "".join(f"{caption}\n" for caption in captions[:count])
        (folder / f"random_words_{size}.txt").write_text(text, encoding="utf-8")
    return folder


def _rank(generator: random.Random, words: int) -> int:
    """Zipf's law: a word's share falls with its rank."""
    return int(words ** generator.random()) % words


def _write_tokenizer(words: int, folder: Path) -> None:
    """Write a tokenizer with one token a word."""
    vocabulary = {f"w{index}": index for index in range(words)} | {_PAD: words, _END: words + 1}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=_PAD))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=_PAD, eos_token=_END, padding_side="left"
    ).save_pretrained(folder)
