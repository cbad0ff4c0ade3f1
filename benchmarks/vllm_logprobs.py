"""Run in vLLM's environment: prompt log-probabilities of a checkpoint, and which method each of its layers runs."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")

MOST_PROBABLE = 20


def methods_of(model: Any) -> dict[str, str]:
    """Of every linear layer: its scheme where it is quantized, else its method."""
    found = {}
    for name, module in model.named_modules():
        method = getattr(module, "quant_method", None)
        if method is not None and hasattr(module, "output_size"):
            scheme = getattr(module, "scheme", None)
            found[name] = type(scheme if scheme is not None else method).__name__
    return found


def main() -> None:
    """Answer for the checkpoint in a folder, with `prompts.json`, into `answer.json`."""
    from vllm import LLM, SamplingParams
    from vllm.model_executor.kernels.linear.scaled_mm import cpu

    folder, kernel = Path(sys.argv[1]), sys.argv[2]
    if kernel == "static":
        # Where the processor has AMX, the kernel for it scales each token by itself, and no static scale is asked.
        cpu.check_cpu_sgl_kernel = lambda *_: False
    prompts = json.loads((folder / "prompts.json").read_text(encoding="utf-8"))
    llm: Any = LLM(str(folder), dtype="bfloat16", enforce_eager=True, max_model_len=512, max_logprobs=MOST_PROBABLE)
    wanted = SamplingParams(max_tokens=1, prompt_logprobs=MOST_PROBABLE, temperature=0.0)
    outputs = llm.generate([{"prompt_token_ids": each} for each in prompts], wanted)
    captions = []
    for prompt, output in zip(prompts, outputs, strict=True):
        positions = []
        for token, found in zip(prompt[1:], output.prompt_logprobs[1:], strict=True):
            top = sorted(found.items(), key=lambda each: -each[1].logprob)[:MOST_PROBABLE]
            positions.append({"own": found[token].logprob, "top": {str(key): each.logprob for key, each in top}})
        captions.append(positions)
    (methods,) = llm.apply_model(methods_of)
    answer = {"captions": captions, "methods": methods}
    (folder / "answer.json").write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main()
