"""A cluster without Ray: workers in this process, whose calls wait until somebody waits for them; hosts may be lost."""

from __future__ import annotations

import dataclasses
import pickle
import time
from typing import TYPE_CHECKING, Any

from auto_quantize_model.engine.cluster.ray_cluster import LostInputError, LostWorkerError, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


_PAUSE = 0.005
MOST_WAITS = 2000
"""Far more than any pass of these tests takes."""


@dataclasses.dataclass(eq=False)
class Ref:
    """A value on a host, or to come."""

    node: str
    value: Any = None
    there: bool = False


@dataclasses.dataclass(eq=False)
class Actor:
    """A worker; a host that was cut off answers no call."""

    place: Place
    worker: Any
    dismissed: bool = False


@dataclasses.dataclass(eq=False)
class Called:
    """A call that nobody has done yet."""

    actor: Actor
    method: str
    arguments: tuple[Any, ...]
    refs: list[Ref]


class StandIn:
    """What `ray_cluster.Cluster` is to a pass."""

    has_gpus = False

    def __init__(self, hosts: int = 2, before: Callable[[StandIn, Called], None] | None = None) -> None:
        """`before` sees every call before it is done, and may do the cluster harm."""
        self.nodes = [f"node{number}" for number in range(hosts)]
        self.gone: set[str] = set()
        self.silent: set[str] = set()
        """Hosts that answer nothing, and of which nobody knows yet that they are gone."""
        self.actors: list[Actor] = []
        self.done: list[tuple[str, str]] = []
        """Which method was called where, in turn."""
        self.closed = False
        self._waits = 0
        self._before = before
        self._calls: list[Called] = []

    def places(self, *, gpus: int) -> list[Place]:
        assert not gpus
        return [Place(node, f"10.0.0.{number}") for number, node in enumerate(self.nodes) if node not in self.gone]

    def alive(self) -> set[str]:
        return set(self.nodes) - self.gone

    def hire(self, place: Place, gpus: int, kind: type, *arguments: Any) -> Actor:
        assert not gpus
        self.actors.append(Actor(place, kind(*_sent(arguments))))
        return self.actors[-1]

    def arrival(self, actor: Actor) -> Ref:
        return self.call(actor, "__class__")[0]

    def call(self, actor: Actor, method: str, *arguments: Any, returns: int = 1) -> list[Ref]:
        refs = [Ref(actor.place.node) for _ in range(returns)]
        self._calls.append(Called(actor, method, arguments, refs))
        return refs

    def wait(self, refs: Sequence[Ref], _seconds: float) -> list[Ref]:
        """One call is done at a time, in turns between the hosts."""
        self._waits += 1
        assert self._waits < MOST_WAITS, "the pass goes round in a circle"
        while not any(ref.there for ref in refs):
            call = next((each for each in self._calls if each.actor.place.node not in self.silent), None)
            if call is None:
                # Without a pause, it would be asked thousands of times before a task counts as late.
                time.sleep(_PAUSE)
                return []
            self._calls.remove(call)
            self._do(call)
        return [ref for ref in refs if ref.there]

    def result(self, ref: Ref) -> Any:
        if isinstance(ref.value, Exception):
            raise ref.value
        return _sent(ref.value)

    def keep(self, value: Any) -> Ref:
        return Ref("front", value, there=True)

    def dismiss(self, actor: Actor) -> None:
        actor.dismissed = True
        self._calls = [call for call in self._calls if call.actor is not actor]

    def close(self) -> None:
        self.closed = True

    def lose(self, node: str) -> None:
        """A host is gone, with all that lay on it."""
        self.gone.add(node)
        self.silent.discard(node)

    def _do(self, call: Called) -> None:
        if self._before is not None:
            self._before(self, call)
        node = call.actor.place.node
        if node in self.silent:
            self._calls.append(call)
            return
        values = self._value(call, node)
        for ref, value in zip(call.refs, values, strict=True):
            ref.value, ref.there = value, True

    def _value(self, call: Called, node: str) -> Sequence[Any]:
        many = len(call.refs)
        if node in self.gone:
            return [LostWorkerError(f"{node} went away")] * many
        if any(isinstance(each, Ref) and each.node in self.gone for each in call.arguments):
            return [LostInputError("a part is gone")] * many
        arguments = _sent([each.value if isinstance(each, Ref) else each for each in call.arguments])
        self.done.append((node, call.method))
        try:
            value = getattr(call.actor.worker, call.method) if call.method == "__class__" else _called(call, arguments)
        except Exception as error:  # noqa: BLE001  it goes to who asks for the value
            return [error] * many
        return [value] if many == 1 else list(value)


def _called(call: Called, arguments: Sequence[Any]) -> Any:
    return getattr(call.actor.worker, call.method)(*arguments)


def _sent(value: Any) -> Any:
    """As it comes out on another host."""
    return pickle.loads(pickle.dumps(value))  # noqa: S301  its own
