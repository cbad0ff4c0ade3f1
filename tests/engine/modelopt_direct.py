"""ModelOpt's `auto_quantize`, called straight: a whole Hugging Face model, its own batches, its own loss.

Written without the engines, so that agreement with them proves something.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import modelopt.torch.quantization as mtq
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoTokenizer,
)

from auto_quantize_model.precision.formats import resolve_format
from auto_quantize_model.precision.fp4 import static_blocks_on_cpu
from auto_quantize_model.precision.quantizers import modelopt_config
from auto_quantize_model.precision.quiet import modelopt_quiet

if TYPE_CHECKING:
    from auto_quantize_model import Case


def batches_of(case: Case) -> list[dict[str, Any]]:
    tokenizer = AutoTokenizer.from_pretrained(case.checkpoint)
    tokenizer.padding_side = "left"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    lines = case.captions.files[0].read_text(encoding="utf-8").splitlines()
    captions = [line.strip() for line in lines if line.strip()][: case.dataset.size_to_max_samples[case.size]]
    size = case.autoquant.batch_size
    return [
        dict(
            tokenizer(
                captions[start : start + size], padding=True, truncation=True, max_length=512, return_tensors="pt"
            )
        )
        for start in range(0, len(captions), size)
    ]


def loss_of(output: Any, batch: dict[str, Any]) -> torch.Tensor:
    mask = batch["attention_mask"]
    labels = batch["input_ids"][:, 1:].masked_fill((mask[:, 1:] * mask[:, :-1]) == 0, -100)
    logits = output.logits[:, :-1].float()
    return torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), labels.reshape(-1))


def search_state(case: Case, dtype: torch.dtype = torch.float32) -> dict[str, Any]:
    loader = AutoModelForCausalLM if case.model.family == "causal_lm" else AutoModelForImageTextToText
    batches = batches_of(case)
    autoquant = case.autoquant
    gradient = autoquant.method == "gradient"
    with modelopt_quiet(), static_blocks_on_cpu():
        _, state = mtq.auto_quantize(
            loader.from_pretrained(case.checkpoint, dtype=dtype),
            constraints={"effective_bits": 16.0},
            quantization_formats=[modelopt_config(resolve_format(case.pair.format), torch.device("cpu"))],
            data_loader=batches,
            forward_step=lambda model, batch: (
                model(**batch, use_cache=False) if gradient else model(**batch, use_cache=False).logits
            ),
            loss_func=loss_of if gradient else None,
            num_calib_steps=len(batches),
            num_score_steps=min(len(batches), max(autoquant.score_size // autoquant.batch_size, 1)),
            disabled_layers=["*visual*", "*lm_head*"],
            method=autoquant.method,
        )
    return dict(state)


def scored_groups(state: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """ModelOpt's groups that it may quantize, by recipe name."""
    return {name: stats for name, stats in state["candidate_stats"].items() if len(stats["formats"]) > 1}
