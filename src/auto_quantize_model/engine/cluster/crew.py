"""The workers of a pass: hired where there is room, given work, and replaced when they are lost."""

from __future__ import annotations

import collections
import dataclasses
import time
from typing import TYPE_CHECKING, Literal, Protocol

from auto_quantize_model.engine.cluster.ray_cluster import LostInputError, LostWorkerError
from auto_quantize_model.engine.cluster.worker import PassWorker, stated_versions
from auto_quantize_model.errors import CaseError, InputError, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from auto_quantize_model.engine.cluster.ray_cluster import Actor, Cluster, Place, Ref
    from auto_quantize_model.engine.cluster.worker import Opened
    from auto_quantize_model.reporting import Notice

_IN_HAND = 2
"""How many tasks a worker has: what the second needs is fetched while the first is done."""
_LIVES = 3
"""How often a worker is hired for one place, and how many workers may be lost with one task in hand."""
_LATE, _LATE_SECONDS = 3.0, 2.0
"""How many times the mean of its kind a task may take, and so many seconds, until an idle worker does it too."""
_LOOK_SECONDS = 1.0
"""How often to look for new hosts and late tasks."""
_LONGEST_REASON = 160
_PATIENCE_SECONDS = 30.0
"""After which time a run says that it still waits for its first worker."""


@dataclasses.dataclass(frozen=True, slots=True)
class Task:
    """What a worker does in one go: a unit of batches, or a group, by its number."""

    kind: Literal["capture", "replay"]
    number: int


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """A task as a worker is called with it."""

    arguments: Sequence[Any]
    returns: int = 1
    held: Ref | None = None
    """What the worker must hold before."""


class Work(Protocol):
    """What is to be done, and who must be told when it is."""

    @property
    def complete(self) -> bool: ...
    def next_task(self) -> Task | None:
        """What can be done now; None while it waits for others, or where nothing is left."""

    def wants(self, task: Task) -> bool:
        """Whether a task that a worker has could be done by another, and is not done yet."""

    def again(self, task: Task) -> None:
        """It came to nothing."""

    def call(self, task: Task) -> Call: ...
    def done(self, task: Task, refs: Sequence[Ref], node: str) -> None:
        """Called once a task, with what came of it and on which host that is."""

    def inputs_lost(self, task: Task, alive: set[str]) -> None:
        """What a task needs is gone: what lay on other hosts than these is."""


@dataclasses.dataclass(eq=False, slots=True)
class _Hand:
    """A worker, and what it is doing."""

    place: Place
    actor: Actor
    opened: Opened | None = None
    tasks: list[Task] = dataclasses.field(default_factory=list)
    held: Ref | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class _Waiting:
    """What is waited for: that a worker arrives, opens the pass, or does a task."""

    hand: _Hand
    refs: Sequence[Ref]
    what: Task | Literal["arrival", "opening"]
    since: float


class Crew:
    """Every worker of a pass; `close` ends them."""

    def __init__(self, cluster: Cluster, order: bytes, notice: Notice, *, gpus: int) -> None:
        self._cluster = cluster
        self._order = order
        self._notice = notice
        self._gpus = gpus
        self._versions = stated_versions()
        self._fingerprint = ""
        self._hands: list[_Hand] = []
        self._waiting: dict[Ref, _Waiting] = {}
        self._lives: collections.Counter[Place] = collections.Counter()
        self._ended: collections.Counter[Task] = collections.Counter()
        self._seconds: dict[str, list[float]] = {"capture": [], "replay": []}
        self._looked = float("-inf")
        self._last_loss = "it has no host with a CPU to spare"
        self._first: Opened | None = None
        self._hardware: set[str] = set()

    def start(self) -> None:
        """Hire whoever can be; they load while others do something else."""
        self._staff()

    def first(self, fingerprint: str) -> Opened:
        """What the first worker says once it has opened the pass, with the checkpoint that all must have."""
        self._fingerprint = fingerprint
        began, told = time.monotonic(), False
        while self._first is None:
            self._look(None)
            if not told and time.monotonic() - began > _PATIENCE_SECONDS and not self._arrived():
                self._notice("cluster: no worker has started yet: others may have taken all that the cluster has")
                told = True
        return self._first

    def do(self, work: Work) -> None:
        """Have all of it done."""
        # What is still in hand of an earlier one goes by the same numbers.
        self._waiting = {ref: each for ref, each in self._waiting.items() if not isinstance(each.what, Task)}
        self._ended.clear()
        for hand in self._hands:
            hand.tasks.clear()
        while not work.complete:
            self._hand_out(work)
            self._look(work)

    @property
    def hardware(self) -> str:
        """What the workers compute on, each kind once."""
        return "; ".join(sorted(self._hardware))

    def close(self) -> None:
        """End every worker, whatever it does."""
        for hand in self._hands:
            self._cluster.dismiss(hand.actor)
        self._hands.clear()
        self._waiting.clear()

    def _arrived(self) -> bool:
        return any(waiting.what == "opening" for waiting in self._waiting.values())

    def _look(self, work: Work | None) -> None:
        """Wait until something is there, or it is time to look who has come."""
        now = time.monotonic()
        if now - self._looked > _LOOK_SECONDS:
            self._looked = now
            self._staff()
        for ref in self._cluster.wait(list(self._waiting), _LOOK_SECONDS):
            waiting = self._waiting.pop(ref, None)
            if waiting is not None:
                self._settle(waiting, ref, work)

    def _staff(self) -> None:
        """Hire a worker for every place that has none."""
        taken = {hand.place for hand in self._hands}
        places = self._cluster.places(gpus=self._gpus)
        for place in places:
            if place not in taken and self._lives[place] < _LIVES:
                self._lives[place] += 1
                hand = _Hand(place, self._cluster.hire(place, self._gpus, PassWorker, self._versions))
                self._hands.append(hand)
                self._wait_for(hand, [self._cluster.arrival(hand.actor)], "arrival")
        if not self._hands:
            raise CaseError(f"the cluster has no worker left: {self._last_loss}")

    def _wait_for(self, hand: _Hand, refs: Sequence[Ref], what: Task | Literal["arrival", "opening"]) -> None:
        self._waiting[refs[0]] = _Waiting(hand, refs, what, time.monotonic())

    def _hand_out(self, work: Work) -> None:
        """Give every worker what it can have; evenly, so that the last tasks are not all in one hand."""
        for most in range(1, _IN_HAND + 1):
            for hand in self._hands:
                if hand.opened is not None and len(hand.tasks) < most:
                    task = work.next_task() or (None if hand.tasks else self._late(work))
                    if task is None:
                        continue
                    self._give(hand, task, work)

    def _give(self, hand: _Hand, task: Task, work: Work) -> None:
        call = work.call(task)
        if call.held is not None and call.held is not hand.held:
            self._cluster.call(hand.actor, "hold", call.held)
            hand.held = call.held
        refs = self._cluster.call(hand.actor, task.kind, *call.arguments, returns=call.returns)
        hand.tasks.append(task)
        self._wait_for(hand, refs, task)

    def _late(self, work: Work) -> Task | None:
        """A task that another worker has had for too long, and no third one has."""
        now = time.monotonic()
        holders = collections.Counter(task for hand in self._hands for task in hand.tasks)
        for waiting in self._waiting.values():
            task = waiting.what
            if not isinstance(task, Task) or holders[task] > 1 or not work.wants(task):
                continue
            seconds = self._seconds[task.kind]
            usual = sum(seconds) / len(seconds) if seconds else float("inf")
            if now - waiting.since > max(_LATE * usual, _LATE_SECONDS):
                return task
        return None

    def _settle(self, waiting: _Waiting, ref: Ref, work: Work | None) -> None:
        hand, what = waiting.hand, waiting.what
        if hand not in self._hands:
            return
        try:
            if not isinstance(what, Task):
                self._settle_arrival(hand, what, ref)
            elif work is not None:
                self._settle_task(waiting, what, work)
        except LostWorkerError as error:
            self._lose(hand, str(error), work)

    def _settle_task(self, waiting: _Waiting, task: Task, work: Work) -> None:
        hand = waiting.hand
        try:
            work.done(task, waiting.refs, hand.place.node)
        except LostInputError:
            hand.tasks.remove(task)
            work.inputs_lost(task, self._cluster.alive())
            self._again(task, work)
        else:
            hand.tasks.remove(task)
            self._seconds[task.kind].append(time.monotonic() - waiting.since)

    def _settle_arrival(self, hand: _Hand, what: str, ref: Ref) -> None:
        if what == "arrival":
            self._cluster.result(ref)
            self._wait_for(hand, self._cluster.call(hand.actor, "open", self._order), "opening")
            return
        try:
            opened: Opened = self._cluster.result(ref)
        except LostWorkerError:
            raise
        except (InputError, CaseError) as error:
            raise InputError(f"{hand.place.address}: {error}") from None
        except Exception as error:  # noqa: BLE001  whatever a host's drivers come up with
            raise LostWorkerError(one_line(error, _LONGEST_REASON)) from None
        if opened.fingerprint != self._fingerprint:
            raise InputError(
                f"{hand.place.address}: {opened.checkpoint} is another checkpoint there than where the run was "
                "started; put the same files on every host"
            )
        if self._first is not None and _identity(opened) != _identity(self._first):
            raise InputError(
                f"{hand.place.address}: the model comes out otherwise there than on another host; "
                "install the same packages, and put the same files, on every host"
            )
        self._first = self._first or opened
        if opened.model is not None:
            self._hardware.add(opened.model.facts["environment"]["hardware"])
        hand.opened = opened

    def _lose(self, hand: _Hand, reason: str, work: Work | None) -> None:
        self._cluster.dismiss(hand.actor)
        self._hands.remove(hand)
        self._last_loss = f"{hand.place}: {reason}"
        # A host that is gone needs no second look; one that is there may be given another worker.
        self._looked = float("-inf")
        others = "; what it had to do goes to others" if hand.tasks else ""
        self._notice(f"cluster: the worker on {hand.place} is gone{others} ({reason})")
        for task in hand.tasks:
            self._ended[task] += 1
            if self._ended[task] >= _LIVES:
                raise CaseError(f"{_LIVES} workers of the cluster ended while they had one task; the last: {reason}")
            if work is not None:
                self._again(task, work)

    def _again(self, task: Task, work: Work) -> None:
        """Put a task back, unless another worker has it too."""
        if not any(task in hand.tasks for hand in self._hands):
            work.again(task)


def _identity(opened: Opened) -> object:
    """What must not differ between two workers of a pass."""
    if opened.model is None:
        return sorted(opened.refused)
    facts = {name: value for name, value in opened.model.facts.items() if name != "environment"}
    return facts, sorted(opened.model.formats), opened.model.alone.batch_names, opened.model.operands
