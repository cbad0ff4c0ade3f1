"""Train `qwen3_vl_tiny`: its tokenizer, its language model, its model card. Run it with `nox -s train_tiny`.

Everything is seeded. Another processor or torch version rounds differently, so the weights it trains differ too:
compare the perplexities in the model card, not the bytes.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import logging
import math
import os
import random
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from captions.grammar import generate_captions
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoTokenizer,
    PreTrainedTokenizerFast,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

FOLDER = Path(__file__).resolve().parent
CALIBRATION = FOLDER.parents[1] / "sensitivity_cases" / "data" / "embedded_captions_large.txt"
SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
PAD, END = SPECIAL_TOKENS[0], SPECIAL_TOKENS[2]

log = logging.getLogger("train")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """All that decides the result."""

    vocabulary: int = 2048
    train_captions: int = 60_000
    heldout_captions: int = 1_000
    train_seed: int = 7
    heldout_seed: int = 11
    weight_seed: int = 0
    steps: int = 2_500
    batch: int = 64
    learning_rate: float = 3e-3
    warmup: int = 100
    weight_decay: float = 0.1
    skip: float = 0.6
    """How often the last layer is skipped in training; earlier ones proportionally less, the first never.

    Late layers then only refine, as those of large models do, and the layers' sensitivities differ widely.
    """


def main() -> None:
    """Train, save, measure, and write the model card."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--steps", type=int, default=Recipe.steps, help="Optimizer steps")
    parser.add_argument("--output", type=Path, default=FOLDER, help="Folder for checkpoint/ and README.md")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    recipe = dataclasses.replace(Recipe(), steps=arguments.steps)
    torch.use_deterministic_algorithms(mode=True)

    started = time.monotonic()
    train, heldout = caption_sets(recipe)
    tokenizer = train_tokenizer(train, recipe)
    model = build_model(tokenizer, recipe)
    untrained = perplexity(model, tokenizer, heldout)
    log.info("%d captions, %d held out; untrained perplexity %.1f", len(train), len(heldout), untrained)
    train_model(model, tokenizer, train, recipe)
    checkpoint = arguments.output / "checkpoint"
    save(model, tokenizer, checkpoint)
    reloaded = Qwen3VLForConditionalGeneration.from_pretrained(checkpoint, dtype=torch.float32).eval()
    trained = perplexity(reloaded, AutoTokenizer.from_pretrained(checkpoint), heldout)
    seconds = time.monotonic() - started
    card = model_card(recipe, reloaded, checkpoint, untrained, trained, seconds)
    (arguments.output / "README.md").write_text(card, encoding="utf-8")
    log.info("held-out perplexity %.2f, untrained %.1f; %.0f s; %s", trained, untrained, seconds, checkpoint)


def caption_sets(recipe: Recipe) -> tuple[list[str], list[str]]:
    """Training and held-out captions; neither has a calibration caption, nor one of the other's."""
    calibration = {_bare(line) for line in CALIBRATION.read_text(encoding="utf-8").splitlines()}
    drawn = generate_captions(recipe.heldout_captions * 2, recipe.heldout_seed)
    heldout = [caption for caption in drawn if _bare(caption) not in calibration][: recipe.heldout_captions]
    unseen = calibration | {_bare(caption) for caption in heldout}
    drawn = generate_captions(recipe.train_captions, recipe.train_seed)
    return [caption for caption in drawn if _bare(caption) not in unseen], heldout


def _bare(caption: str) -> str:
    """What makes two captions the same to a model: all but capitals and the full stop."""
    return caption.rstrip(".").lower()


def train_tokenizer(captions: Sequence[str], recipe: Recipe) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of the captions' own words."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=recipe.vocabulary,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(captions, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, model_max_length=512, padding_side="left"
    )


def build_model(tokenizer: PreTrainedTokenizerFast, recipe: Recipe) -> Any:
    """A small Qwen3-VL with every feature of the large ones."""
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIAL_TOKENS}
    hidden = 128
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": hidden,
        "intermediate_size": 384,
        "num_hidden_layers": 8,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 32,
        "max_position_embeddings": 1024,
        "rope_theta": 10_000.0,
        "rope_scaling": {"rope_type": "default", "mrope_section": [6, 5, 5], "mrope_interleaved": True},
        "pad_token_id": ids[PAD],
        "eos_token_id": ids[END],
        "tie_word_embeddings": True,
    }
    vision = {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_heads": 2,
        "out_hidden_size": hidden,
        "patch_size": 16,
        "num_position_embeddings": 64,
        "deepstack_visual_indexes": [0, 1],
    }
    config = Qwen3VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=True,
    )
    torch.manual_seed(recipe.weight_seed)
    return Qwen3VLForConditionalGeneration(config).eval()


def train_model(model: Any, tokenizer: Any, captions: Sequence[str], recipe: Recipe) -> None:
    """Train the language model; the vision tower keeps its random weights."""
    parameters = [p for name, p in model.named_parameters() if "visual" not in name]
    matrices = [p for p in parameters if p.dim() > 1]
    vectors = [p for p in parameters if p.dim() == 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": vectors, "weight_decay": 0.0}],
        lr=recipe.learning_rate,
        betas=(0.9, 0.95),
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, recipe))
    tokens = [[*ids, tokenizer.eos_token_id] for ids in tokenizer(list(captions))["input_ids"]]
    model.train()
    rng = random.Random(recipe.weight_seed)  # noqa: S311  not for security
    for step, batch in enumerate(_batches(tokens, tokenizer.pad_token_id, recipe), start=1):
        with _some_layers_skipped(model, rng, recipe.skip):
            loss = _loss(model, *batch)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        if step % 200 == 0:
            log.info("step %d: loss %.3f", step, loss.item())
    model.eval()


@torch.inference_mode()
def perplexity(model: Any, tokenizer: Any, captions: Sequence[str]) -> float:
    """The exponential of the mean cross-entropy a predicted token."""
    tokens = tokenizer(list(captions))["input_ids"]
    total = count = 0.0
    for start in range(0, len(tokens), 50):
        ids, mask = _pad(tokens[start : start + 50], tokenizer.pad_token_id)
        predicted = int((mask[:, 1:] & mask[:, :-1]).sum())
        total += float(_loss(model, ids, mask)) * predicted
        count += predicted
    return math.exp(total / count)


def save(model: Any, tokenizer: Any, folder: Path) -> None:
    """Save as bfloat16 safetensors, as large models are published."""
    shutil.rmtree(folder, ignore_errors=True)
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    for file in folder.iterdir():
        file.chmod(0o644)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def model_card(recipe: Recipe, model: Any, checkpoint: Path, untrained: float, trained: float, seconds: float) -> str:
    """The model card, with the numbers of this training."""
    language = sum(p.numel() for name, p in model.named_parameters() if "visual" not in name)
    vision = sum(p.numel() for name, p in model.named_parameters() if "visual" in name)
    size = sum(file.stat().st_size for file in checkpoint.iterdir()) / 1e6
    text = model.config.text_config
    return f"""# qwen3_vl_tiny

A real `Qwen3VLForConditionalGeneration`, small enough to come with the repository and trained so that quantization
scores mean something. It shows that the suite works; it is of no use for anything else.

| | |
| --- | --- |
| Language model | {language / 1e6:.2f} M parameters: {text.num_hidden_layers} layers, hidden {text.hidden_size}, \
{text.num_attention_heads} query and {text.num_key_value_heads} key/value heads of {text.head_dim}, \
MLP {text.intermediate_size}, q/k norm, interleaved mrope, tied head |
| Vision tower | {vision / 1e6:.2f} M parameters with deepstack, **untrained**: random weights, never quantized, \
never loaded by the suite |
| Tokenizer | byte-level BPE, {text.vocab_size} tokens, trained on the same captions |
| Files | bfloat16 safetensors, {size:.1f} MB with the tokenizer |
| Training text | {recipe.train_captions:,} captions of the project's own grammar (seed {recipe.train_seed}), \
without the calibration captions and without the held-out ones |
| Training | {recipe.steps:,} steps of {recipe.batch} captions, AdamW, stochastic depth (last layer \
skipped in {recipe.skip:.0%} of the steps), {seconds:.0f} s on {os.cpu_count()} CPU cores |
| Held-out perplexity | **{trained:.2f}** on {recipe.heldout_captions:,} captions (seed {recipe.heldout_seed}), \
as saved; {untrained:.0f} before training |
| Licence | Apache-2.0, text and weights |

Train it again with `nox -s train_tiny`: [train.py](train.py) has the whole recipe. The perplexities above are those of
the run that made the committed weights; `train.py` writes this page.
"""


@contextlib.contextmanager
def _some_layers_skipped(model: Any, rng: random.Random, skip: float) -> Iterator[None]:
    """Stochastic depth: leave layers out of one step."""
    layers = model.model.language_model.layers
    skipped = [layer for depth, layer in enumerate(layers) if rng.random() < skip * depth / (len(layers) - 1)]
    handles = [layer.register_forward_hook(lambda _module, inputs, _output: inputs[0]) for layer in skipped]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _batches(tokens: Sequence[list[int]], pad: int, recipe: Recipe) -> Iterator[tuple[Tensor, Tensor]]:
    rng = random.Random(recipe.train_seed)  # noqa: S311  not for security
    for _ in range(recipe.steps):
        # Similar lengths together, so that little is padding.
        drawn = sorted((tokens[int(rng.random() * len(tokens))] for _ in range(recipe.batch)), key=len)
        yield _pad(drawn, pad)


def _pad(rows: Sequence[list[int]], pad: int) -> tuple[Tensor, Tensor]:
    width = max(len(row) for row in rows)
    ids = torch.tensor([[pad] * (width - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    return ids, mask


def _loss(model: Any, ids: Tensor, mask: Tensor) -> Tensor:
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1].float()
    counted = (mask[:, :-1] & mask[:, 1:]).bool()
    return torch.nn.functional.cross_entropy(logits[counted], ids[:, 1:][counted])


def _rate(step: int, recipe: Recipe) -> float:
    warm = min(1.0, (step + 1) / recipe.warmup)
    return warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / recipe.steps)))


if __name__ == "__main__":
    main()
