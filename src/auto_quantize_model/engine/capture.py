"""Capture: one unquantized pass that records what every score of every case depends on."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING, Any

import torch

from auto_quantize_model.engine.batches import causal_loss
from auto_quantize_model.engine.progress import silent
from auto_quantize_model.errors import NotCoveredError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor, nn

    from auto_quantize_model.engine.batches import TokenBatch
    from auto_quantize_model.engine.groups import Group, Layout
    from auto_quantize_model.engine.progress import Progress
    from auto_quantize_model.families.loaded import LoadedModel


@dataclasses.dataclass(slots=True)
class CapturedGroup:
    """What one group saw: rows are the positions that the loss counts, batch after batch."""

    group: Group
    maxima: Tensor
    """The absolute maximum of the group's input in each batch, padding included, as ModelOpt calibrates."""
    inputs: list[Tensor] = dataclasses.field(default_factory=list)
    gradients: dict[str, list[Tensor]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Capture:
    """A finished pass. Replay takes groups out of it one by one, so that their memory is freed."""

    groups: dict[str, CapturedGroup]
    scored: tuple[int, ...]
    """The batches whose inputs and gradients were recorded, in the order of their rows."""


def capture(
    loaded: LoadedModel,
    layout: Layout,
    batches: Sequence[TokenBatch],
    scored: Sequence[int],
    progress: Progress = silent,
) -> Capture:
    """Run every batch once: the scored ones forward and backward, the others forward and without logits."""
    recorder = _Recorder(loaded, layout, len(batches))
    with recorder.attached():
        for index, batch in enumerate(batches):
            recorder.begin(index, batch, scoring=index in set(scored))
            if recorder.scoring:
                _score(loaded, batch)
            else:
                _calibrate(loaded, batch)
            progress("capture", index + 1, len(batches))
    recorder.check()
    return Capture(recorder.groups, tuple(sorted(scored)))


@torch.enable_grad()
def _score(loaded: LoadedModel, batch: TokenBatch) -> None:
    logits = loaded.model(**batch.inputs, use_cache=False).logits
    causal_loss(logits, batch).backward()


@torch.no_grad()
def _calibrate(loaded: LoadedModel, batch: TokenBatch) -> None:
    loaded.model.base_model(**batch.inputs, use_cache=False)


_UNSEEN = -1.0
"""The maximum of an input that a batch did not have."""


class _Recorder:
    """The hooks on a model's linear layers, and what they have recorded."""

    def __init__(self, loaded: LoadedModel, layout: Layout, batches: int) -> None:
        self._loaded = loaded
        self._modules: dict[str, nn.Module] = {
            name: loaded.model.get_submodule(name) for group in layout.groups for name in group.members
        }
        self.groups = {
            group.name: CapturedGroup(
                group,
                torch.full((batches,), _UNSEEN, device=loaded.device),
                gradients={name: [] for name in group.members},
            )
            for group in layout.groups
        }
        self.scoring = False
        self._index = 0
        self._positions = 0
        self._rows = self._other_rows = torch.empty(0)
        self._seen: dict[str, Tensor] = {}
        self._called: set[str] = set()
        self._outside = torch.zeros((), device=loaded.device)

    def begin(self, index: int, batch: TokenBatch, *, scoring: bool) -> None:
        """Point the hooks at the next batch."""
        self.scoring, self._index, self._positions = scoring, index, batch.input_ids.numel()
        counted = batch.counted.flatten()
        self._rows, self._other_rows = counted.nonzero().squeeze(1), (~counted).nonzero().squeeze(1)
        self._seen.clear()
        self._called.clear()

    def check(self) -> None:
        """Make sure that leaving out the uncounted positions left out nothing."""
        for captured in self.groups.values():
            unseen = captured.maxima == _UNSEEN
            if bool(unseen.any()) and not bool(unseen.all()):
                raise NotCoveredError(f"'{captured.group.name}' does not run for every batch")
            captured.maxima.clamp_(min=0)
        if bool(self._outside != 0):
            raise NotCoveredError("positions outside the loss receive gradient, so the model is not causal")

    @contextlib.contextmanager
    def attached(self) -> Iterator[None]:
        """Keep the hooks on the model for the duration of a `with` block."""
        embedding = self._loaded.model.get_input_embeddings()
        handles = [embedding.register_forward_hook(self._start_gradient)]
        for name, captured in ((n, g) for g in self.groups.values() for n in g.group.members):
            module = self._modules[name]
            handles.append(module.register_forward_pre_hook(self._on_input(name, captured)))
            handles.append(module.register_forward_hook(self._on_output(name, captured)))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
            self._seen.clear()

    def _start_gradient(self, _module: nn.Module, _inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        # No parameter needs a gradient, so the graph starts at the embedded tokens.
        return output.detach().requires_grad_() if self.scoring else output

    def _on_input(self, name: str, captured: CapturedGroup) -> Any:
        group = captured.group.name

        def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            self._check_call(name, inputs[0])
            if group in self._seen:
                if self._seen[group] is not inputs[0]:
                    raise NotCoveredError(f"'{name}' and '{group}' share a precision but not an input")
                return
            self._seen[group] = inputs[0]
            values = inputs[0].detach()
            captured.maxima[self._index] = values.abs().amax()
            if self.scoring:
                captured.inputs.append(values.flatten(0, -2).index_select(0, self._rows))

        return hook

    def _on_output(self, name: str, captured: CapturedGroup) -> Any:
        gradients = captured.gradients[name]

        def on_gradient(gradient: Tensor) -> None:
            rows = gradient.flatten(0, -2)
            gradients.append(rows.index_select(0, self._rows))
            if len(self._other_rows):
                # What is no number anyway becomes the group's status; here it would prove nothing.
                outside = rows.index_select(0, self._other_rows).abs().nan_to_num(nan=0.0, posinf=0.0).amax()
                self._outside = torch.maximum(self._outside, outside.to(self._outside))

        def hook(_module: nn.Module, _inputs: tuple[Any, ...], output: Tensor) -> None:
            if self.scoring and output.requires_grad:
                output.register_hook(on_gradient)

        return hook

    def _check_call(self, name: str, values: Tensor) -> None:
        if name in self._called:
            raise NotCoveredError(f"'{name}' runs more than once a pass")
        if values.numel() != self._positions * values.shape[-1]:
            raise NotCoveredError(f"'{name}' does not see every token")
        self._called.add(name)
