"""Capture: one unquantized pass that records what every score of every case depends on."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING, Any

import torch

from auto_quantize_model.engine.capture.batches import causal_loss, counted_logits
from auto_quantize_model.engine.capture.probes import probe_gradients
from auto_quantize_model.errors import NotCoveredError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn

    from auto_quantize_model.engine.capture.batches import TokenBatch
    from auto_quantize_model.engine.capture.groups import Layout
    from auto_quantize_model.families.loaded import LoadedModel
    from auto_quantize_model.scores import Group

UNSEEN = -1.0
"""The maximum of an input that a batch did not have."""


@dataclasses.dataclass(frozen=True, slots=True)
class CapturedBatch:
    """What one batch left behind: rows are the positions that its loss counts."""

    maxima: Tensor
    """The absolute maximum of each group's input, padding included, as ModelOpt calibrates."""
    outside: Tensor
    """The largest gradient at a position that the loss does not count; zero in a causal model."""
    inputs: dict[str, Tensor] = dataclasses.field(default_factory=dict)
    """By group; empty where the batch only calibrates."""
    gradients: dict[str, list[Tensor]] = dataclasses.field(default_factory=dict)
    """By layer: the loss's, then that of every probe."""


@contextlib.contextmanager
def recording(loaded: LoadedModel, layout: Layout, probes: int) -> Iterator[Recorder]:
    """Keep the hooks on a model for the duration of a `with` block."""
    recorder = Recorder(loaded, layout, probes)
    handles = recorder.attach()
    try:
        yield recorder
    finally:
        for handle in handles:
            handle.remove()


class Recorder:
    """The hooks on a model's linear layers, and what they record of one batch."""

    def __init__(self, loaded: LoadedModel, layout: Layout, probes: int) -> None:
        self._loaded = loaded
        self._layout = layout
        self._probes = probes
        self._scoring = False
        self._positions = 0
        self._rows = self._other_rows = torch.empty(0)
        self._seen: dict[str, Tensor] = {}
        self._called: set[str] = set()
        self._maxima: dict[str, Tensor] = {}
        self._outside: list[Tensor] = []
        self._inputs: dict[str, Tensor] = {}
        self._gradients: dict[str, list[Tensor]] = {}

    def record(self, batch: TokenBatch, *, scoring: bool) -> CapturedBatch:
        """Run a batch: forward and backward if it scores, else forward and without logits."""
        self._begin(batch, scoring=scoring)
        if scoring:
            self._score(batch)
        else:
            self._calibrate(batch)
        return self._taken()

    def attach(self) -> list[Any]:
        """Put the hooks onto the model; they go when their handles are removed."""
        model = self._loaded.model
        handles = [model.get_input_embeddings().register_forward_hook(self._start_gradient)]
        for group in self._layout.groups:
            for name in group.members:
                module: nn.Module = model.get_submodule(name)
                handles.append(module.register_forward_pre_hook(self._on_input(name, group)))
                handles.append(module.register_forward_hook(self._on_output(name)))
        return handles

    @torch.enable_grad()
    def _score(self, batch: TokenBatch) -> None:
        logits = self._loaded.model(**batch.inputs, use_cache=False).logits
        causal_loss(logits, batch).backward(retain_graph=True)
        counted = counted_logits(logits, batch)
        for probe, gradient in enumerate(probe_gradients(counted, batch, self._probes), start=1):
            counted.backward(gradient, retain_graph=probe < self._probes)

    @torch.no_grad()
    def _calibrate(self, batch: TokenBatch) -> None:
        self._loaded.model.base_model(**batch.inputs, use_cache=False)

    def _begin(self, batch: TokenBatch, *, scoring: bool) -> None:
        self._scoring, self._positions = scoring, batch.input_ids.numel()
        counted = batch.counted.flatten()
        self._rows, self._other_rows = counted.nonzero().squeeze(1), (~counted).nonzero().squeeze(1)
        self._seen, self._called = {}, set()
        self._maxima, self._outside, self._inputs, self._gradients = {}, [], {}, {}

    def _taken(self) -> CapturedBatch:
        device = self._loaded.device
        unseen, none = torch.full((), UNSEEN, device=device), torch.zeros((), device=device)
        maxima = [self._maxima.get(group.name, unseen).to(device).float() for group in self._layout.groups]
        outside = [each.to(device).float() for each in self._outside]
        taken = CapturedBatch(
            maxima=torch.stack(maxima),
            outside=torch.stack([none, *outside]).amax(),
            inputs=self._inputs,
            gradients=self._gradients,
        )
        # What the model ran with must not outlive the batch.
        self._seen, self._inputs, self._gradients = {}, {}, {}
        return taken

    def _start_gradient(self, _module: nn.Module, _inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        # No parameter needs a gradient, so the graph starts at the embedded tokens.
        return output.detach().requires_grad_() if self._scoring else output

    def _on_input(self, name: str, group: Group) -> Any:
        def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            self._check_call(name, inputs[0])
            if group.name in self._seen:
                if self._seen[group.name] is not inputs[0]:
                    raise NotCoveredError(f"'{name}' and '{group.name}' share a precision but not an input")
                return
            self._seen[group.name] = inputs[0]
            values = inputs[0].detach()
            self._maxima[group.name] = values.abs().amax()
            if self._scoring:
                self._inputs[group.name] = values.flatten(0, -2).index_select(0, self._rows.to(values.device))

        return hook

    def _on_output(self, name: str) -> Any:
        def on_gradient(gradient: Tensor) -> None:
            rows = gradient.flatten(0, -2)
            self._gradients.setdefault(name, []).append(rows.index_select(0, self._rows.to(rows.device)))
            if len(self._other_rows):
                # What is no number anyway becomes the group's status; here it would prove nothing.
                outside = rows.index_select(0, self._other_rows.to(rows.device)).abs()
                self._outside.append(outside.nan_to_num(nan=0.0, posinf=0.0).amax())

        def hook(_module: nn.Module, _inputs: tuple[Any, ...], output: Tensor) -> None:
            if self._scoring and output.requires_grad:
                output.register_hook(on_gradient)

        return hook

    def _check_call(self, name: str, values: Tensor) -> None:
        if name in self._called:
            raise NotCoveredError(f"'{name}' runs more than once a pass")
        if values.numel() != self._positions * values.shape[-1]:
            raise NotCoveredError(f"'{name}' does not see every token")
        self._called.add(name)
