"""A pass's captured batches, wherever they lie: on the device, on the host, on disk."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from auto_quantize_model.engine.capture.named import to_host
from auto_quantize_model.engine.capture.recording import UNSEEN, CapturedBatch, Head, names_of, recording
from auto_quantize_model.engine.capture.units import REPRODUCED, one_by_one
from auto_quantize_model.engine.machine.sharing import do_each_once
from auto_quantize_model.errors import NotCoveredError
from auto_quantize_model.reporting import silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from auto_quantize_model.engine.capture.batches import TokenBatch
    from auto_quantize_model.engine.capture.calls import Call
    from auto_quantize_model.engine.capture.files import CaptureFiles
    from auto_quantize_model.engine.capture.groups import Layout
    from auto_quantize_model.engine.capture.recording import Recorder
    from auto_quantize_model.engine.capture.units import Unit
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


class RowSource(Protocol):
    """Where the rows of batches are that are not in this process's memory."""

    def read_part(self, index: int, names: Iterable[str], /) -> CapturedBatch: ...


@dataclasses.dataclass(frozen=True, slots=True)
class GroupRows:
    """What one group saw, a tensor a scored batch."""

    group: Group
    inputs: list[Tensor]
    gradients: dict[str, list[list[Tensor]]]
    """By layer, or by the module that it is scored at: of every batch the loss's, then that of every probe."""
    calls: dict[str, dict[int, Call]] = dataclasses.field(default_factory=dict)
    """By module that runs again: how it was called in each batch."""

    @property
    def complete(self) -> bool:
        """Whether there is anything to score with."""
        return bool(self.inputs or any(self.calls.values())) and all(self.gradients.values())


class RowsMeetError(Exception):
    """A batch comes out otherwise beside others: this model's batches must run one by one."""


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
        self._heads: dict[int, Head] = {}
        self._in_files: set[int] = set()
        """The batches whose rows are in files alone."""
        self._source: RowSource | None = placement.files
        self._rows_apart = False
        self._problems: dict[str, str] = {}
        self._waiting = Counter(name for group in layout.groups for name in set(names_of(group)))
        """How many groups have still to take what is kept under a name: several may be scored at one module."""

    @classmethod
    def of_heads(
        cls, layout: Layout, scored: Iterable[int], heads: Mapping[int, Head], source: RowSource | None = None
    ) -> Captured:
        """What others captured: rows are read where they are when a group is taken."""
        captured = cls(layout, scored, Placement())
        captured._source = source
        captured._heads = dict(heads)
        captured._in_files = set(heads)
        captured._check()
        return captured

    def fill(
        self, recorder: Recorder, batches: Sequence[TokenBatch], units: Sequence[Unit], progress: Progress
    ) -> None:
        """Capture every batch that is not there yet, those of a unit together."""

        def make(number: int) -> Callable[[], None]:
            unit = units[number]
            missing = unit if files is None else [index for index in unit if not files.has(index)]
            taken = recorder.record([batches[index] for index in unit], scoring=unit[0] in self.scored)
            self._check_rows_apart(recorder, [batches[index] for index in unit])

            def keep() -> None:
                self._keep({index: each for index, each in zip(unit, taken, strict=True) if index in missing})
                self.made += len(missing)
                progress("capture", self.made, len(batches))

            return keep

        def has(number: int) -> bool:
            return files is not None and all(files.has(index) for index in units[number])

        files = self._placement.files
        if files is None or files.spare:
            for number in range(len(units)):
                if not has(number):
                    make(number)()
        else:
            lock = files.lock
            do_each_once(range(len(units)), has, make, lambda number: lock(units[number][0]))
        if files is not None:
            for index in set(range(len(batches))) - set(self._heads):
                self._heads[index] = files.read_head(index)
                self._in_files.add(index)
            if self.made < len(batches):
                progress("capture", len(batches), len(batches))
        self._check()

    def maxima(self) -> NDArray[np.float32]:
        """Every group's maximum in every batch."""
        return self._by_group(lambda head: head.maxima)

    def unpadded_maxima(self) -> NDArray[np.float32]:
        """The same without padding; of modules that run again it is not known, and they are as with it."""
        return self._by_group(lambda head: head.unpadded)

    def _by_group(self, of_head: Callable[[Head], Tensor]) -> NDArray[np.float32]:
        stacked = stack_on_host(of_head(self._heads[index]) for index in sorted(self._heads))
        values: NDArray[np.float32] = stacked.T.clamp(min=0).numpy()
        return values

    def inner_maxima(self) -> dict[str, NDArray[np.float32]]:
        """In every batch, the maximum that each input quantizer inside a module saw; negative where it saw nothing."""
        names = sorted({name for head in self._heads.values() for name in head.inner})
        result = {name: np.full(len(self._heads), UNSEEN, dtype=np.float32) for name in names}
        for place, index in enumerate(sorted(self._heads)):
            for name, maximum in self._heads[index].inner.items():
                result[name][place] = float(maximum)
        return result

    @property
    def problems(self) -> dict[str, str]:
        """Why there is nothing to score a group with, by its name."""
        return self._problems

    def take(self, group: Group) -> GroupRows:
        """What a group saw; it leaves memory with this."""
        places = group.scored_at or group.members
        rows = GroupRows(group, [], {name: [] for name in places}, {name: {} for name in places})
        for index in sorted(self._heads):
            batch = self._part(index, group)
            if group.name in batch.inputs:
                rows.inputs.append(batch.inputs[group.name])
            for name in places:
                if name in batch.gradients:
                    rows.gradients[name].append(batch.gradients[name])
                if name in batch.calls:
                    rows.calls[name][index] = batch.calls[name]
        self._waiting.subtract(set(names_of(group)))
        return rows

    @property
    def on_disk(self) -> bool:
        """Whether some of the rows must be read from files."""
        return not self._in_files.isdisjoint(self.scored)

    def _part(self, index: int, group: Group) -> CapturedBatch:
        """What a batch has of a group."""
        if self._source is not None and index in self._in_files:
            return self._source.read_part(index, names_of(group))
        batch = self.batches.get(index)
        part = CapturedBatch(torch.empty(0), torch.empty(0))
        if batch is not None:
            for name in names_of(group):
                for mine, others in (
                    (part.inputs, batch.inputs),
                    (part.gradients, batch.gradients),
                    (part.calls, batch.calls),
                ):
                    if name in others:
                        mine[name] = others[name] if self._waiting[name] > 1 else others.pop(name)  # type: ignore[assignment]
        return part

    def _check_rows_apart(self, recorder: Recorder, unit: Sequence[TokenBatch]) -> None:
        """Once a pass: whether a batch comes out beside others as it does alone."""
        if len(unit) == 1 or self._rows_apart:
            return
        check_rows_apart(recorder, unit)
        self._rows_apart = True

    def _keep(self, unit: Mapping[int, CapturedBatch]) -> None:
        files = self._placement.files
        for index, batch in unit.items():
            self._heads[index] = batch.head
            if files is not None:
                files.write(index, batch)
        # The rows of a unit are parts of the same tensors, so they go to one place.
        size = sum(batch.nbytes for batch in unit.values())
        if not size:
            return
        if size <= self._left["device"]:
            self._left["device"] -= size
            self.batches |= unit
        elif size <= self._left["host"] or files is None or not all(map(files.has, unit)):
            self._left["host"] -= size
            self.batches |= {index: batch.moved(to_host) for index, batch in unit.items()}
        else:
            self._in_files.update(unit)

    def _check(self) -> None:
        """Make sure that leaving out the uncounted positions left out nothing; one look for all groups."""
        for index in sorted(self._heads):
            self._problems = {**self._heads[index].problems, **self._problems}
        unseen = stack_on_host(head.maxima for head in self._heads.values()) == UNSEEN
        partly = unseen.any(dim=0) & ~unseen.all(dim=0)
        for place in partly.nonzero().flatten():
            name = self.layout.groups[int(place)].name
            self._problems.setdefault(name, f"'{name}' does not run for every batch")
        if bool(stack_on_host(head.outside for head in self._heads.values()).any()):
            raise NotCoveredError("positions outside the loss receive gradient, so the model is not causal")


def check_rows_apart(recorder: Recorder, unit: Sequence[TokenBatch]) -> None:
    """See that the batches that just ran come out as they do alone."""
    if not recorder.differs_alone(unit) <= REPRODUCED:
        raise RowsMeetError


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
    *,
    units: Sequence[Unit] | None = None,
    calls: bool = False,
) -> Captured:
    """Run every batch once, or find it where it was kept; with `calls`, keep what every layer was called with.

    The batches of each of the `units` run together; by default all run one by one.
    """
    captured = Captured(layout, scored, placement or Placement())
    with recording(loaded, layout, probes, calls=calls) as recorder:
        captured.fill(recorder, batches, units or one_by_one(batches), progress)
    return captured
