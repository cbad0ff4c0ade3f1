"""Capture: one unquantized pass that records what every score of every case depends on."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from typing import TYPE_CHECKING, Any

import torch

from auto_quantize_model.engine.capture.batches import counted_loss, together
from auto_quantize_model.engine.capture.calls import Call, CallError, first_result
from auto_quantize_model.engine.capture.probes import probe_gradients
from auto_quantize_model.errors import NotCoveredError
from auto_quantize_model.precision.conversion import quantized_inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

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
    """The largest gradient at a position that the loss does not count, where there is something to quantize; zero in
    a causal model."""
    inputs: dict[str, Tensor] = dataclasses.field(default_factory=dict)
    """By group; empty where the batch only calibrates."""
    gradients: dict[str, list[Tensor]] = dataclasses.field(default_factory=dict)
    """By layer, or by the module that a group is scored at: the loss's, then that of every probe."""
    calls: dict[str, Call] = dataclasses.field(default_factory=dict)
    """How modules that run again in replay were called, by name; padding included."""
    inner: dict[str, Tensor] = dataclasses.field(default_factory=dict)
    """The absolute maxima that input quantizers inside such a module saw, by their names."""
    problems: dict[str, str] = dataclasses.field(default_factory=dict)
    """Why there is nothing to score a group with, by its name."""
    unpadded: Tensor | None = None
    """The maxima without padding; None where they are the same."""

    @property
    def head(self) -> Head:
        """What of it is no rows."""
        unpadded = self.maxima if self.unpadded is None else self.unpadded
        return Head(self.maxima, self.outside, self.inner, self.problems, unpadded)

    @property
    def nbytes(self) -> int:
        """What its rows take; a tensor that several calls share counts once."""
        tensors = [*self.inputs.values(), *itertools.chain.from_iterable(self.gradients.values())]
        tensors += itertools.chain.from_iterable(call.tensors for call in self.calls.values())
        return sum({id(tensor): tensor.nbytes for tensor in tensors}.values())

    def moved(self, move: Callable[[Tensor], Tensor]) -> CapturedBatch:
        """The same with its rows elsewhere."""
        return dataclasses.replace(
            self,
            inputs={name: move(tensor) for name, tensor in self.inputs.items()},
            gradients={name: [move(each) for each in tensors] for name, tensors in self.gradients.items()},
            calls={name: call.moved(move) for name, call in self.calls.items()},
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Head:
    """What of a batch is always in memory: the fields of `CapturedBatch` that are no rows."""

    maxima: Tensor
    outside: Tensor
    inner: Mapping[str, Tensor]
    problems: Mapping[str, str]
    unpadded: Tensor
    """The maxima without padding."""


@contextlib.contextmanager
def recording(loaded: LoadedModel, layout: Layout, probes: int, *, calls: bool = False) -> Iterator[Recorder]:
    """Keep the hooks on a model for the duration of a `with` block."""
    recorder = Recorder(loaded, layout, probes, calls=calls)
    handles = recorder.attach()
    try:
        yield recorder
    finally:
        for handle in handles:
            handle.remove()


class Recorder:
    """The hooks on a model's modules, and what they record of one batch."""

    def __init__(self, loaded: LoadedModel, layout: Layout, probes: int, *, calls: bool = False) -> None:
        """With `calls`, also keep what every layer was called with, in batches that only calibrate too."""
        self._loaded = loaded
        self._layout = layout
        self._probes = probes
        self._keep_calls = calls
        self._scoring = False
        self._positions: list[int] = []
        self._counts: list[int] = []
        self._rows = self._other_rows = self._states = torch.empty(0)
        self._real: Tensor | None = None
        """Which positions are no padding; None where all are."""
        self._begin_empty()

    def record(self, batches: Sequence[TokenBatch], *, scoring: bool) -> list[CapturedBatch]:
        """Run batches of one padded length as one: forward and backward if they score, else forward without logits.

        Each keeps a loss of its own. Where calls are kept, or a group is scored at a module, it must be one batch.
        """
        self._begin(batches, scoring=scoring)
        joined = together(batches)
        if scoring:
            self._score(joined, batches)
        else:
            self._calibrate(joined)
        return self._taken()

    @torch.no_grad()
    def differs_alone(self, batches: Sequence[TokenBatch]) -> float:
        """How far the batches that just ran come out otherwise alone, relative to their largest state.

        The first and the last of them are run: what one of them takes from the whole may be its own, not so for both.
        """
        first, *_, last = batches
        beside = self._states[: len(first.input_ids)], self._states[-len(last.input_ids) :]
        return max(self._difference(*each) for each in zip((first, last), beside, strict=True))

    def _difference(self, batch: TokenBatch, beside: Tensor) -> float:
        self._begin([batch], scoring=False)
        self._calibrate(batch)
        self._begin_empty()
        return float((self._states - beside).abs().max() / self._states.abs().max())

    def attach(self) -> list[Any]:
        """Put the hooks onto the model; they go when their handles are removed."""
        model = self._loaded.model
        handles = [
            model.get_input_embeddings().register_forward_hook(self._start_gradient),
            model.base_model.register_forward_hook(self._on_states),
            model.get_submodule(self._loaded.head).register_forward_pre_hook(self._take_counted),
        ]
        for group in self._layout.groups:
            handles += self._attach_to_module(group) if group.scored_at else self._attach_to_layers(group)
        return handles

    def _attach_to_layers(self, group: Group) -> Iterator[Any]:
        for name in group.members:
            module: nn.Module = self._loaded.model.get_submodule(name)
            yield module.register_forward_pre_hook(self._on_input(name, group))
            yield module.register_forward_hook(self._on_output(name, group))
            if self._keep_calls:
                yield module.register_forward_pre_hook(self._on_call(name, group), with_kwargs=True)

    def _attach_to_module(self, group: Group) -> Iterator[Any]:
        model = self._loaded.model
        for name in group.scored_at:
            module: nn.Module = model.get_submodule(name)
            yield module.register_forward_pre_hook(self._on_call(name, group), with_kwargs=True)
            yield module.register_forward_hook(self._on_output(name, group))
        for name, quantized in quantized_inputs(model, group.members):
            yield quantized.register_forward_pre_hook(self._on_inner_input(name, group))

    @torch.enable_grad()
    def _score(self, joined: TokenBatch, batches: Sequence[TokenBatch]) -> None:
        logits = self._loaded.model(**joined.inputs, use_cache=False).logits
        if logits.shape[:-1] != (1, len(self._rows)):
            raise NotCoveredError("the model's head does not give logits for each token by itself")
        gradients = logits.new_empty((1 + self._probes, *logits.shape))
        parts = zip(batches, logits.detach()[0].split(self._counts), gradients.split(self._counts, dim=2), strict=True)
        for batch, of_batch, (of_loss, *of_probes) in parts:
            of_loss[0] = _loss_gradient(of_batch, batch)
            for place, gradient in zip(of_probes, probe_gradients(of_batch, batch, self._probes), strict=True):
                place[0] = gradient
        for kind, gradient in enumerate(gradients):
            logits.backward(gradient, retain_graph=kind < self._probes)

    @torch.no_grad()
    def _calibrate(self, batch: TokenBatch) -> None:
        self._loaded.model.base_model(**batch.inputs, use_cache=False)

    def _begin(self, batches: Sequence[TokenBatch], *, scoring: bool) -> None:
        self._scoring = scoring
        self._positions = [batch.input_ids.numel() for batch in batches]
        self._counts = [batch.loss_tokens for batch in batches] if scoring else []
        counted = torch.cat([batch.counted.flatten() for batch in batches])
        self._rows, self._other_rows = counted.nonzero().squeeze(1), (~counted).nonzero().squeeze(1)
        real = torch.cat([batch.attention_mask.flatten().bool() for batch in batches])
        self._real = None if bool(real.all()) else real
        self._begin_empty()

    def _begin_empty(self) -> None:
        self._seen: dict[str, Tensor] = {}
        self._called: set[tuple[str, str]] = set()
        self._watched: set[str] = set()
        self._copies: dict[int, tuple[Tensor, Tensor]] = {}
        self._maxima: dict[str, Tensor] = {}
        """Of each batch; of modules that are more than a product there is but one."""
        self._unpadded: dict[str, Tensor] = {}
        self._outside: list[Tensor] = []
        self._inputs: list[dict[str, Tensor]] = [{} for _ in self._counts]
        self._gradients: list[dict[str, list[Tensor]]] = [{} for _ in self._counts]
        self._calls: dict[str, Call] = {}
        self._inner: dict[str, Tensor] = {}
        self._problems: dict[str, str] = {}

    def _taken(self) -> list[CapturedBatch]:
        device = self._loaded.device
        unseen, none = torch.full((len(self._positions),), UNSEEN, device=device), torch.zeros((), device=device)
        # Of modules that are more than a product, the batches that run together have one maximum.
        whole = {group.name: self._maxima.get(group.name, unseen) for group in self._layout.groups}
        maxima, unpadded = (
            torch.stack([each.to(device).float().expand(len(self._positions)) for each in of_groups.values()], dim=1)
            for of_groups in (whole, {name: self._unpadded.get(name, maximum) for name, maximum in whole.items()})
        )
        outside = [each.to(device).float() for each in self._outside]
        # Several groups may be scored at one module.
        lost, kept = set[str](), set[str]()
        for group in self._layout.groups:
            (lost if group.name in self._problems else kept).update(names_of(group))
        lost -= kept
        taken = [
            CapturedBatch(
                maxima=of_batch,
                outside=torch.stack([none, *outside]).amax(),
                inputs=_without(self._inputs[number], lost) if self._scoring else {},
                gradients=_without(self._gradients[number], lost) if self._scoring else {},
                calls=_without(self._calls, lost),
                inner={name: maximum.float() for name, maximum in self._inner.items()},
                problems=self._problems,
                unpadded=None if self._real is None else unpadded[number],
            )
            for number, of_batch in enumerate(maxima)
        ]
        # What the model ran with must not outlive the batch.
        self._begin_empty()
        return taken

    def _on_states(self, _module: nn.Module, _inputs: tuple[Any, ...], output: Any) -> None:
        self._states = output[0].detach()

    def _take_counted(self, _module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        """Only what the loss counts gets logits: in a large vocabulary the others cost as much as a layer."""
        if not self._scoring:
            return None
        states, *others = inputs
        return (states.flatten(0, -2).index_select(0, self._rows.to(states.device))[None], *others)

    def _start_gradient(self, _module: nn.Module, _inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        # No parameter needs a gradient, so the graph starts at the embedded tokens.
        return output.detach().requires_grad_() if self._scoring else output

    def _on_input(self, name: str, group: Group) -> Any:
        def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            self._check_once(name, group)
            if inputs[0].numel() != sum(self._positions) * inputs[0].shape[-1]:
                self._problems.setdefault(group.name, f"'{name}' does not see every token")
            if group.name in self._problems:
                return
            if group.name in self._seen:
                if self._seen[group.name] is not inputs[0]:
                    self._problems[group.name] = f"'{name}' and '{group.name}' share a precision but not an input"
                return
            self._seen[group.name] = inputs[0]
            values = inputs[0].detach().flatten(0, -2)
            largest = values.abs().amax(dim=1)
            self._maxima[group.name] = self._of_batches(largest)
            if self._real is not None:
                real = largest.masked_fill(~self._real.to(largest.device), 0)
                self._unpadded[group.name] = self._of_batches(real)
            if self._scoring:
                for taken, part in zip(self._inputs, self._counted_of_each(values), strict=True):
                    taken[group.name] = part

        return hook

    def _of_batches(self, of_positions: Tensor) -> Tensor:
        return torch.stack([part.amax() for part in of_positions.split(self._positions)])

    def _on_call(self, name: str, group: Group) -> Any:
        def hook(_module: nn.Module, positional: tuple[Any, ...], named: dict[str, Any]) -> None:
            if group.scored_at:
                self._check_once(name, group)
                self._maxima.setdefault(group.name, torch.zeros(1, device=self._loaded.device))
            if not (self._scoring or self._keep_calls) or group.name in self._problems:
                return
            try:
                self._calls[name] = Call.of(positional, named).moved(self._copied)
            except CallError as error:
                self._problems[group.name] = f"'{name}' cannot run again: {error}"

        return hook

    def _on_inner_input(self, name: str, group: Group) -> Any:
        def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            values = inputs[0].detach()
            if not values.numel():
                return
            maximum = values.abs().amax()
            before = self._inner.get(name)
            self._inner[name] = maximum if before is None else torch.maximum(before, maximum)
            whole = self._maxima.get(group.name, maximum[None])
            self._maxima[group.name] = torch.maximum(whole.to(maximum.device), maximum)

        return hook

    def _on_output(self, name: str, group: Group) -> Any:
        def hook(_module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            values = first_result(output)
            if values.numel() != sum(self._positions) * values.shape[-1]:
                self._problems.setdefault(group.name, f"'{name}' does not see every token")
            elif (
                self._scoring
                and values.requires_grad
                and group.name not in self._problems
                and name not in self._watched
            ):
                self._watched.add(name)
                values.register_hook(self._on_gradient(name, None if group.scored_at else inputs[0].detach()))

        return hook

    def _on_gradient(self, name: str, inputs: Tensor | None) -> Any:
        """Keep a module's gradient; `inputs` are those of a linear layer, of which zeros stay zeros when quantized."""

        def hook(gradient: Tensor) -> None:
            rows = gradient.flatten(0, -2)
            for taken, part in zip(self._gradients, self._counted_of_each(rows), strict=True):
                taken.setdefault(name, []).append(part)
            if not len(self._other_rows):
                return
            others = self._other_rows.to(rows.device)
            # What is no number anyway becomes the group's status; here it would prove nothing.
            outside = rows.index_select(0, others).abs().nan_to_num(nan=0.0, posinf=0.0).amax(dim=-1)
            if inputs is not None:
                # A convolution over tokens, before which padding is set to zero, gives it a gradient all the same.
                outside = outside * inputs.flatten(0, -2).index_select(0, others).ne(0).any(dim=-1)
            self._outside.append(outside.amax())

        return hook

    def _counted_of_each(self, rows: Tensor) -> tuple[Tensor, ...]:
        """The rows that the loss counts, by batch."""
        taken: tuple[Tensor, ...] = rows.index_select(0, self._rows.to(rows.device)).split(self._counts)
        return taken

    def _check_once(self, name: str, group: Group) -> None:
        if (group.name, name) in self._called:
            self._problems.setdefault(group.name, f"'{name}' runs more than once a pass")
        self._called.add((group.name, name))

    def _copied(self, tensor: Tensor) -> Tensor:
        """A copy that later layers cannot write to; what several modules get is copied once."""
        if id(tensor) not in self._copies:
            # The original is kept too: another tensor could get its number.
            self._copies[id(tensor)] = tensor, tensor.clone()
        return self._copies[id(tensor)][1]


@torch.enable_grad()
def _loss_gradient(logits: Tensor, batch: TokenBatch) -> Tensor:
    leaf = logits.requires_grad_()
    (gradient,) = torch.autograd.grad(counted_loss(leaf, batch), leaf)
    return gradient


def names_of(group: Group) -> tuple[str, ...]:
    """Under which names a group's captured tensors are."""
    return group.name, *group.members, *group.scored_at


def _without(values: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}
