"""The KL divergence of quantizing groups, by plain forward passes of the whole model on padded batches.

It shares nothing with the engine's measurement but the quantizers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from auto_quantize_model.checkpoints.opening import open_checkpoint
from auto_quantize_model.engine.capture.batches import tokenize
from auto_quantize_model.families import load_model
from auto_quantize_model.plan import plan_passes
from auto_quantize_model.precision.capability import check_format
from auto_quantize_model.precision.formats import resolve_format

if TYPE_CHECKING:
    from auto_quantize_model import Case
    from auto_quantize_model.engine.capture.batches import TokenBatch
    from auto_quantize_model.precision.quantizers import FormatQuantizers

CPU = torch.device("cpu")


@torch.inference_mode()
def measure_kl(case: Case, selections: list[list[tuple[str, ...]]]) -> list[float]:
    """The KL divergence per loss token with each selection of groups quantized; inputs by hooks, at their maximum."""
    (plan,) = plan_passes([case])
    loaded = load_model(case.model, open_checkpoint(case.checkpoint), CPU)
    batches = tokenize(plan, loaded)
    quantizers, _ = check_format(resolve_format(case.pair.format), CPU)
    layers = {name: loaded.model.get_submodule(name) for members in selections[-1] for name in members}
    maxima = maxima_of(loaded.model, layers, batches)
    before = log_probabilities(loaded.model, batches)
    divergences = []
    for selection in selections:
        kept = {name: layers[name].weight.detach().clone() for members in selection for name in members}
        hooks = []
        for name, weight in kept.items():
            layers[name].weight.data.copy_(quantizers.quantize_weight(weight))
            if quantizers.input_key is not None:
                hooks.append(layers[name].register_forward_pre_hook(quantized_input(quantizers, maxima[name])))
        after = log_probabilities(loaded.model, batches)
        divergences.append(float((before.exp() * (before - after)).sum(dim=1).mean()))
        for hook in hooks:
            hook.remove()
        for name, weight in kept.items():
            layers[name].weight.data.copy_(weight)
    return divergences


def maxima_of(model: Any, layers: dict[str, Any], batches: list[TokenBatch]) -> dict[str, torch.Tensor]:
    seen: dict[str, list[torch.Tensor]] = {name: [] for name in layers}
    hooks = [
        layer.register_forward_pre_hook(lambda _, inputs, name=name: seen[name].append(inputs[0].abs().amax()))
        for name, layer in layers.items()
    ]
    log_probabilities(model, batches)
    for hook in hooks:
        hook.remove()
    return {name: torch.stack(each).amax() for name, each in seen.items()}


def quantized_input(quantizers: FormatQuantizers, maximum: torch.Tensor) -> Any:
    def hook(_: Any, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor]:
        (values,) = inputs
        return (quantizers.quantize_input(values.flatten(0, -2), maximum).view_as(values),)

    return hook


def log_probabilities(model: Any, batches: list[TokenBatch]) -> torch.Tensor:
    rows = [model(**batch.inputs).logits[batch.counted].double() for batch in batches]
    return torch.log_softmax(torch.cat(rows), dim=-1)
