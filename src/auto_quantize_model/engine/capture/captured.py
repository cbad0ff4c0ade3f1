"""A pass's captured batches, wherever they lie: on the device, on the host, on disk."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import TYPE_CHECKING

import torch

from auto_quantize_model.engine.capture.files import to_host
from auto_quantize_model.engine.capture.recording import UNSEEN, CapturedBatch, recording
from auto_quantize_model.engine.machine.sharing import do_each_once
from auto_quantize_model.errors import NotCoveredError
from auto_quantize_model.reporting import silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from auto_quantize_model.engine.capture.batches import TokenBatch
    from auto_quantize_model.engine.capture.files import CaptureFiles
    from auto_quantize_model.engine.capture.groups import Layout
    from auto_quantize_model.engine.capture.recording import Recorder
    from auto_quantize_model.families.loaded import LoadedModel
    from auto_quantize_model.reporting import Progress
    from auto_quantize_model.scores import Group


@dataclasses.dataclass(frozen=True, slots=True)
class Placement:
    """Where captured tensors go, batch after batch: to the device as far as they fit, then the host, then disk."""

    device_bytes: float = math.inf
    host_bytes: float = 0.0
    """On a CPU, device and host are one, and only the first number counts."""
    files: CaptureFiles | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class GroupRows:
    """What one group saw, a tensor a scored batch."""

    group: Group
    inputs: list[Tensor]
    gradients: dict[str, list[list[Tensor]]]
    """By layer: of every batch the loss's, then that of every probe."""

    @property
    def complete(self) -> bool:
        """Whether there is anything to score with."""
        return bool(self.inputs) and all(self.gradients.values())


class Captured:
    """A finished capture. Replay takes groups out of it one by one, so that their memory is freed."""

    def __init__(self, layout: Layout, scored: Iterable[int], placement: Placement) -> None:
        self.layout = layout
        self.scored = tuple(sorted(scored))
        self.batches: dict[int, CapturedBatch] = {}
        """The batches in memory."""
        self.made = 0
        """How many batches this process captured; the others were there, or came from another process."""
        self._placement = placement
        self._left = {"device": placement.device_bytes, "host": placement.host_bytes}
        self._heads: dict[int, tuple[Tensor, Tensor]] = {}

    def fill(self, recorder: Recorder, batches: Sequence[TokenBatch], progress: Progress) -> None:
        """Capture every batch that is not there yet."""

        def make(index: int) -> Callable[[], None]:
            taken = recorder.record(batches[index], scoring=index in self.scored)

            def keep() -> None:
                self._keep(index, taken)
                self.made += 1
                progress("capture", self.made, len(batches))

            return keep

        files = self._placement.files
        if files is None:
            for index in range(len(batches)):
                make(index)()
        else:
            do_each_once(range(len(batches)), files.has, make, files.lock)
            for index in set(range(len(batches))) - set(self._heads):
                self._heads[index] = files.read_head(index)
            if self.made < len(batches):
                progress("capture", len(batches), len(batches))
        self._check()

    def maxima(self) -> NDArray[np.float32]:
        """Every group's maximum in every batch."""
        stacked = stack_on_host(self._heads[index][0] for index in sorted(self._heads))
        values: NDArray[np.float32] = stacked.T.clamp(min=0).numpy()
        return values

    def take(self, group: Group) -> GroupRows:
        """What a group saw; it leaves memory with this."""
        rows = GroupRows(group, [], {name: [] for name in group.members})
        for index in self.scored:
            inputs, gradients = self._rows_of(index, group)
            if inputs is not None:
                rows.inputs.append(inputs)
            for name, of_layer in gradients.items():
                rows.gradients[name].append(of_layer)
        return rows

    @property
    def on_disk(self) -> bool:
        """Whether some of the rows must be read from files."""
        return any(index not in self.batches for index in self.scored)

    def _rows_of(self, index: int, group: Group) -> tuple[Tensor | None, dict[str, list[Tensor]]]:
        batch = self.batches.get(index)
        if batch is not None:
            gradients = {name: batch.gradients.pop(name) for name in group.members if name in batch.gradients}
            return batch.inputs.pop(group.name, None), gradients
        assert self._placement.files is not None  # noqa: S101  what is in neither place was never captured
        return self._placement.files.read_rows(index, group.name, group.members)

    def _keep(self, index: int, batch: CapturedBatch) -> None:
        self._heads[index] = (batch.maxima, batch.outside)
        files = self._placement.files
        if files is not None:
            files.write(index, batch)
        if index not in self.scored:
            return
        tensors = [*batch.inputs.values(), *itertools.chain.from_iterable(batch.gradients.values())]
        size = sum(tensor.nbytes for tensor in tensors)
        if size <= self._left["device"]:
            self._left["device"] -= size
            self.batches[index] = batch
        elif size <= self._left["host"] or files is None:
            self._left["host"] -= size
            self.batches[index] = dataclasses.replace(
                batch,
                inputs={name: to_host(tensor) for name, tensor in batch.inputs.items()},
                gradients={name: [to_host(each) for each in tensors] for name, tensors in batch.gradients.items()},
            )

    def _check(self) -> None:
        """Make sure that leaving out the uncounted positions left out nothing; one look for all groups."""
        unseen = stack_on_host(maxima for maxima, _ in self._heads.values()) == UNSEEN
        partly = unseen.any(dim=0) & ~unseen.all(dim=0)
        if bool(partly.any()):
            name = self.layout.groups[int(partly.nonzero()[0])].name
            raise NotCoveredError(f"'{name}' does not run for every batch")
        if bool(stack_on_host(outside for _, outside in self._heads.values()).any()):
            raise NotCoveredError("positions outside the loss receive gradient, so the model is not causal")


def stack_on_host(parts: Iterable[Tensor]) -> Tensor:
    """One tensor on the host: some parts are where this process captured them, others were read from files."""
    return torch.stack([part.cpu() for part in parts])


def capture(
    loaded: LoadedModel,
    layout: Layout,
    batches: Sequence[TokenBatch],
    scored: Iterable[int],
    probes: int,
    progress: Progress = silent,
    placement: Placement | None = None,
) -> Captured:
    """Run every batch once, or find it where it was kept."""
    captured = Captured(layout, scored, placement or Placement())
    with recording(loaded, layout, probes) as recorder:
        captured.fill(recorder, batches, progress)
    return captured
