"""What a pass has its workers do: capture every unit of batches, then replay every group."""

from __future__ import annotations

import collections
import dataclasses
from typing import TYPE_CHECKING, Any

from auto_quantize_model.engine.capture.captured import Captured
from auto_quantize_model.engine.cluster.crew import Call, Task
from auto_quantize_model.engine.cluster.worker import has_rows
from auto_quantize_model.engine.measurement.maxima import Maxima
from auto_quantize_model.engine.pass_files import PassScores
from auto_quantize_model.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from auto_quantize_model.engine.capture.batches import TokenBatch
    from auto_quantize_model.engine.capture.groups import Layout
    from auto_quantize_model.engine.capture.recording import Head
    from auto_quantize_model.engine.capture.units import Unit
    from auto_quantize_model.engine.cluster.ray_cluster import Cluster, Ref
    from auto_quantize_model.engine.cluster.worker import Model, UnitHeads
    from auto_quantize_model.engine.machine.operands import Operands
    from auto_quantize_model.engine.replay.replay import GroupScores
    from auto_quantize_model.engine.replay.score_files import ScoreFiles
    from auto_quantize_model.plan import PassPlan
    from auto_quantize_model.reporting import Progress


_MOST_LOSSES = 20
"""How often a pass may find that what was captured is gone."""


@dataclasses.dataclass(frozen=True, slots=True)
class DistantPass:
    """A pass whose model is loaded elsewhere: what it must be known by here."""

    plan: PassPlan
    layout: Layout
    batches: Sequence[TokenBatch]
    formats: Collection[str]
    facts: dict[str, Any]
    operands: Operands
    units: tuple[Unit, ...]
    batch_names: list[str]

    @classmethod
    def of(cls, plan: PassPlan, model: Model, *, joined: bool) -> DistantPass:
        """As the first worker tells of it."""
        named = model.joined if joined and model.joined is not None else model.alone
        told = (model.layout, model.batches, model.formats, model.facts, model.operands)
        return cls(plan, *told, named.units, named.batch_names)

    @property
    def calls(self) -> bool:
        """Whether replay must know what every layer was called with."""
        return bool(self.facts["calls"])


class PassWork:
    """How far a pass is. Rows stay on the hosts that captured them until another host replays their group."""

    def __init__(self, distant: DistantPass, cluster: Cluster, scores: ScoreFiles | None, progress: Progress) -> None:
        self.captured_bytes = 0
        self._pass = distant
        self._cluster = cluster
        self._files = scores
        self._progress = progress
        groups = range(len(distant.layout.groups))
        self._scores: dict[int, GroupScores] = {}
        if scores is not None:
            self._scores = {index: scores.read(index) for index in groups if scores.has(index)}
        self._units = collections.deque(range(len(distant.units)))
        self._groups = collections.deque(index for index in groups if index not in self._scores)
        self._heads: dict[int, Head] = {}
        self._nodes: dict[int, str] = {}
        """On which host the rows of a unit are."""
        self._parts: dict[int, dict[int, Ref]] = {}
        """By unit and group."""
        self._held: Ref | None = None
        self._maxima: Maxima | None = None
        self._losses = 0
        self._given: dict[int, int] = {}
        """How many losses there had been when a group was last given to a worker."""

    @property
    def complete(self) -> bool:
        """Whether every group is scored."""
        return len(self._scores) == len(self._pass.layout.groups) and self._maxima is not None

    def scores(self) -> PassScores:
        """What came of it all, in the groups' order."""
        assert self._maxima is not None  # noqa: S101  for the type checker
        wanted = self._pass.plan.format_sizes(self._pass.formats)
        ordered = [self._scores[index] for index in sorted(self._scores)]
        return PassScores({each: [scores[each] for scores in ordered] for each in wanted}, self._maxima)

    @property
    def _has_rows(self) -> bool:
        """Whether the rows of every unit are somewhere, so that groups can be replayed."""
        return len(self._nodes) == len(self._pass.units)

    def next_task(self) -> Task | None:
        """A unit that must still be captured; or else, once all are, a group."""
        if self._units:
            return Task("capture", self._units.popleft())
        if self._groups and self._has_rows:
            return Task("replay", self._groups.popleft())
        return None

    def wants(self, task: Task) -> bool:
        """Whether a second worker may do it."""
        if task.kind == "capture":
            return task.number not in self._nodes
        return task.number not in self._scores and self._has_rows

    def again(self, task: Task) -> None:
        """It is the next to be done."""
        self._queue(task).appendleft(task.number)

    def call(self, task: Task) -> Call:
        """What a worker is called with."""
        if task.kind == "capture":
            unit = self._pass.units[task.number]
            rows = has_rows(self._pass.plan, unit, calls=self._pass.calls)
            return Call([unit], returns=1 + len(self._pass.layout.groups) * rows)
        self._given[task.number] = self._losses
        parts = [self._parts[unit][task.number] for unit in sorted(self._parts)]
        return Call([task.number, *parts], held=self._held)

    def done(self, task: Task, refs: Sequence[Ref], node: str) -> None:
        """Take over what a worker has done; a second time it is of no use."""
        take: Callable[[int, Sequence[Ref], str], None] = self._captured if task.kind == "capture" else self._replayed
        take(task.number, refs, node)

    def inputs_lost(self, task: Task, alive: set[str]) -> None:
        """Have the units captured again whose rows were on a host that is gone; all, should that explain nothing."""
        if self._given.get(task.number) != self._losses:
            # It was given what was found to be lost since.
            return
        self._losses += 1
        if self._losses > _MOST_LOSSES:
            raise CaseError("the hosts of the cluster lose what they captured again and again; see Ray's logs there")
        gone = [unit for unit in self._parts if self._nodes[unit] not in alive] or list(self._parts)
        for unit in gone:
            del self._parts[unit], self._nodes[unit]
            self._units.append(unit)

    def _queue(self, task: Task) -> collections.deque[int]:
        return self._units if task.kind == "capture" else self._groups

    def _captured(self, number: int, refs: Sequence[Ref], node: str) -> None:
        of_unit: UnitHeads = self._cluster.result(refs[0])
        if number in self._nodes:
            return
        self._nodes[number] = node
        if len(refs) > 1:
            self._parts[number] = {index: ref for index, ref in enumerate(refs[1:]) if index not in self._scores}
        if not set(of_unit.heads) <= set(self._heads):
            self._heads |= of_unit.heads
            self.captured_bytes += of_unit.nbytes
            self._progress("capture", len(self._heads), len(self._pass.batches))
            if len(self._heads) == len(self._pass.batches):
                self._all_captured()

    def _all_captured(self) -> None:
        captured = Captured.of_heads(self._pass.layout, self._pass.plan.scored, self._heads)
        self._maxima = Maxima.of(captured)
        self._held = self._cluster.keep(self._heads)

    def _replayed(self, number: int, refs: Sequence[Ref], _node: str) -> None:
        scores: GroupScores = self._cluster.result(refs[0])
        if number in self._scores:
            return
        self._scores[number] = scores
        if self._files is not None:
            self._files.write(number, scores)
        for parts in self._parts.values():
            # Nobody needs them any more, so the cluster may forget them.
            parts.pop(number, None)
        self._progress("replay", len(self._scores), len(self._pass.layout.groups))
