"""Ray, as far as a pass needs it: who is there, workers on their places, calls, and what comes of them.

The only module that knows Ray: what goes wrong there becomes one of three errors here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import signal
import socket
import threading
from typing import TYPE_CHECKING, Any

from auto_quantize_model.cluster_address import HERE, host_and_port, parse_address
from auto_quantize_model.errors import InputError, one_line
from auto_quantize_model.flags import both_flags
from auto_quantize_model.interrupts import interrupts_prevail

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Ref = Any
"""Ray's handle of a value that is, or will be, on some host of the cluster."""
Actor = Any
_SECONDS_TO_ANSWER = 5.0
_LONGEST_REASON = 160


class LostWorkerError(Exception):
    """A worker is gone, with its host or alone."""


class LostInputError(Exception):
    """What a call needs lay on a host that is gone."""


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where one worker can be: on some GPUs of a host, or on a host that has none."""

    node: str
    """Ray's name of the host, for as long as it belongs to the cluster."""
    address: str
    number: int = 0
    """Which of the host's workers."""

    def __str__(self) -> str:
        """As messages name it."""
        return f"{self.address}, worker {self.number + 1}" if self.number else self.address


class Cluster:
    """A cluster that this process is connected to."""

    def __init__(self, ray: Any, *, ours: bool) -> None:
        """`ours` is whether this process connected for the run alone, and so ends the connection with it."""
        self._ray = ray
        self._ours = ours

    def places(self, *, gpus: int) -> list[Place]:
        """Every place that is there now: one for so many `gpus` of a host, or one a host if that is none."""
        return [place for node in self._nodes() for place in places_of(node, gpus)]

    @property
    def has_gpus(self) -> bool:
        """Whether any host has one."""
        return any(_gpus(node) for node in self._nodes())

    def alive(self) -> set[str]:
        """The names of the hosts that belong to the cluster now."""
        return {str(node["NodeID"]) for node in self._nodes()}

    def hire(self, place: Place, gpus: int, kind: type, *arguments: Any) -> Actor:
        """Start a worker; it is there when `arrival` is."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        options = {
            "num_cpus": 0 if gpus else 1,
            "num_gpus": gpus,
            "scheduling_strategy": NodeAffinitySchedulingStrategy(place.node, soft=False),
            # What it had loaded would be gone: who is lost is hired anew, by us.
            "max_restarts": 0,
        }
        return self._ray.remote(kind).options(**options).remote(*arguments)

    def arrival(self, actor: Actor) -> Ref:
        """A value that is there once the worker is."""
        return actor.__ray_ready__.remote()

    def call(self, actor: Actor, method: str, *arguments: Any, returns: int = 1) -> list[Ref]:
        """Have a worker do something; handles among the arguments become their values there."""
        refs = getattr(actor, method).options(num_returns=returns).remote(*arguments)
        return [refs] if returns == 1 else list(refs)

    def wait(self, refs: Sequence[Ref], seconds: float) -> list[Ref]:
        """Those that are there, as soon as one is or the time is over; what they are stays where it is."""
        if not refs:
            threading.Event().wait(seconds)
            return []
        with interrupts_prevail():
            first, _ = self._ray.wait(list(refs), timeout=seconds, fetch_local=False)
            there, _ = self._ray.wait(list(refs), num_returns=len(refs), timeout=0, fetch_local=False)
        return list(there or first)

    def result(self, ref: Ref) -> Any:
        """A value, or the error that came in its place."""
        from ray import exceptions

        try:
            with interrupts_prevail():
                return self._ray.get(ref)
        except exceptions.RayTaskError as error:
            if isinstance(error, exceptions.ObjectLostError) or _is_lost_input(error):
                raise LostInputError(_reason(error)) from None
            cause = getattr(error, "cause", None)
            raise (cause if isinstance(cause, Exception) else error) from None
        except exceptions.ObjectLostError as error:
            raise LostInputError(_reason(error)) from None
        except exceptions.RayError as error:
            raise LostWorkerError(_reason(error)) from None

    def keep(self, value: Any) -> Ref:
        """Put a value where every worker can have it."""
        return self._ray.put(value)

    def dismiss(self, actor: Actor) -> None:
        """End a worker, whatever it is doing."""
        with contextlib.suppress(Exception):
            self._ray.kill(actor, no_restart=True)

    def close(self) -> None:
        """End the connection, and with it all that is still done for it."""
        if self._ours:
            self._ray.shutdown()

    def _nodes(self) -> list[dict[str, Any]]:
        return [node for node in self._ray.nodes() if node["Alive"]]


def connect(address: str) -> Cluster:
    """Connect to a cluster; what keeps it from that is one line that says what to do."""
    with _own_signals():
        ray = _ray()
        if ray.is_initialized():
            return Cluster(ray, ours=False)
        head = _found(address)
        # It would say on the standard output what becomes of hosts; what matters of it is told by us.
        ray._private.worker._worker_logs_enabled = False
        try:
            ray.init(address=head, log_to_driver=False, logging_level=logging.CRITICAL, configure_logging=True)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            raise InputError(f"{_flag(address)}: no connection: {one_line(error, _LONGEST_REASON)}") from None
    return Cluster(ray, ours=True)


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        reason = "Ray is not installed here" if error.name == "ray" else f"Ray cannot be imported: {one_line(error)}"
        raise InputError(f'{both_flags("cluster")}: {reason}: pip install "auto-quantize-model[cluster]"') from None
    return ray


def _found(address: str) -> str:
    """The head's HOST:PORT; Ray itself takes minutes to say that there is none, or ends the process over it."""
    here = _clusters_here()
    if parse_address(address) == HERE:
        if not here:
            raise InputError(
                f"{_flag(address)}: this host belongs to no cluster; `ray start --head` starts one, "
                "`ray start --address HOST:PORT` joins one"
            )
        if len(here) > 1:
            raise InputError(f"{_flag(address)}: several clusters have this host; name one: {', '.join(sorted(here))}")
        (address,) = here
    named = host_and_port(address)
    if named is None:
        raise InputError(f"{_flag(address)}: is no HOST:PORT")
    try:
        with socket.create_connection(named, timeout=_SECONDS_TO_ANSWER) as connection:
            head = connection.getpeername()[0]
    except OSError as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        start = f"start the cluster with `ray start --head --port {named[1]}`"
        raise InputError(f"{_flag(address)}: nothing answers there ({reason}); {start}") from None
    if not {address, f"{head}:{named[1]}"} & here:
        raise InputError(
            f"{_flag(address)}: this host is none of that cluster's; `ray start --address {address}` makes it one"
        )
    return address


def _clusters_here() -> set[str]:
    """The heads of all clusters that this host belongs to: Ray has a process on each of its hosts."""
    import psutil

    ours = {each.address for addresses in psutil.net_if_addrs().values() for each in addresses}
    found = set()
    for process in psutil.process_iter(["name", "cmdline"]):
        words = process.info["cmdline"] or ()
        if process.info["name"] == "raylet" and _value(words, "--node_ip_address") in ours:
            found.add(_value(words, "--gcs-address"))
    return found


def _value(words: Sequence[str], option: str) -> str:
    return next((word.partition("=")[2] for word in words if word.startswith(f"{option}=")), "")


def _flag(address: str) -> str:
    return both_flags("cluster", address)


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Ray takes SIGTERM for itself when it connects; what was to become of it here stays."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def places_of(node: dict[str, Any], gpus: int) -> list[Place]:
    """The places for workers on a host, as Ray describes it."""
    room = _gpus(node) // gpus if gpus else int(node["Resources"].get("CPU", 0) >= 1)
    return [Place(str(node["NodeID"]), str(node["NodeManagerAddress"]), number) for number in range(room)]


def _gpus(node: dict[str, Any]) -> int:
    return int(node["Resources"].get("GPU", 0))


def _is_lost_input(error: Exception) -> bool:
    from ray import exceptions

    cause = getattr(error, "cause", None)
    return isinstance(cause, exceptions.ObjectLostError)


def _reason(error: Exception) -> str:
    """Its first sentence; after that Ray lists numbers of its own."""
    return one_line(error).partition(". ")[0][:_LONGEST_REASON]
