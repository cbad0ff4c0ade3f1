"""Hosts that are network namespaces of this machine: addresses and links of their own, on one bridge. Needs root."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

BRIDGE, SUBNET = "aqm-bridge", "10.77.0"
PORT = 6379
RAY = (sys.executable, "-m", "ray.scripts.scripts")
_HOLD = "mkdir -p /tmp/ray && mount -t tmpfs tmpfs /tmp/ray && ip link set lo up && exec sleep infinity"
"""A host's own folder for Ray, which would otherwise think of all hosts as one."""


@dataclasses.dataclass
class Host:
    """A machine, as far as the network and Ray can tell."""

    number: int
    cpus: int
    holder: subprocess.Popen[bytes]
    _slow: threading.Event | None = None

    @property
    def address(self) -> str:
        """Its own."""
        return f"{SUBNET}.{self.number + 1}"

    @property
    def link(self) -> str:
        """The end of its cable that is in the bridge."""
        return f"aqm{self.number}"

    def command(self, words: Sequence[str]) -> list[str]:
        """A command as it is run there."""
        # Who enters another mount namespace is at its root.
        return ["nsenter", "-t", str(self.holder.pid), "-n", "-m", "env", "-C", str(Path.cwd()), *words]

    def start_ray(self, head: Host, environment: Mapping[str, str]) -> None:
        """Make it the head of the cluster, or join the one that is."""
        where = ("--head", f"--port={PORT}") if self is head else (f"--address={head.address}:{PORT}",)
        words = [*RAY, "start", *where, f"--node-ip-address={self.address}", f"--num-cpus={self.cpus}"]
        words += ["--num-gpus=0", "--object-store-memory=1000000000", "--disable-usage-stats"]
        words += ["--include-dashboard=false"] if self is head else []
        subprocess.run(self.command(words), env=dict(environment), check=True, capture_output=True)  # noqa: S603

    def processes(self) -> list[int]:
        """All that run there, but for the one that holds the namespace."""
        mine = _namespace(self.holder.pid)
        return [pid for pid in _pids() if pid != self.holder.pid and _namespace(pid) == mine]

    def kill(self) -> None:
        """As if its power went."""
        # More than once: what is about to start another process may get that far.
        while self.processes():
            self._signal(signal.SIGKILL)
            time.sleep(0.01)

    def cut_off(self) -> None:
        """As if its cable were pulled."""
        _run("ip", "link", "set", self.link, "down")

    def slow_down(self, stopped: float, running: float) -> None:
        """Let everything on it run only a part of the time, until it is removed."""
        over = self._slow = threading.Event()

        def take_turns() -> None:
            while not over.is_set():
                self._signal(signal.SIGSTOP)
                time.sleep(stopped)
                self._signal(signal.SIGCONT)
                over.wait(running)

        threading.Thread(target=take_turns, daemon=True).start()

    def remove(self) -> None:
        """End all that runs there, and the host with it."""
        if self._slow is not None:
            self._slow.set()
        self._signal(signal.SIGCONT)
        self.kill()
        self.holder.kill()
        self.holder.wait()
        # Its namespace goes when the kernel has time, and the name of its link with it.
        with contextlib.suppress(subprocess.CalledProcessError):
            _run("ip", "link", "del", self.link)

    def _signal(self, number: signal.Signals) -> None:
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


@contextlib.contextmanager
def hosts(cpus: Sequence[int], environment: Mapping[str, str], *, ray: bool = True) -> Iterator[list[Host]]:
    """Hosts with so many CPUs for Ray each; with `ray` they form a cluster, whose head is the first."""
    _run("ip", "link", "add", BRIDGE, "type", "bridge")
    made: list[Host] = []
    try:
        _run("ip", "addr", "add", f"{SUBNET}.254/24", "dev", BRIDGE)
        _run("ip", "link", "set", BRIDGE, "up")
        for number, each in enumerate(cpus):
            made.append(_host(number, each))
        for host in made if ray else ():
            host.start_ray(made[0], environment)
        yield made
    finally:
        for host in made:
            host.remove()
        _run("ip", "link", "del", BRIDGE)


def _host(number: int, cpus: int) -> Host:
    words = ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", _HOLD]
    host = Host(number, cpus, subprocess.Popen(words))  # noqa: S603
    while _namespace(host.holder.pid) in (None, _namespace(os.getpid())):
        if host.holder.poll() is not None:
            sys.exit("network namespaces cannot be made here; this needs root, and `unshare`, `nsenter` and `ip`")
        time.sleep(0.01)
    inside = f"aqm{number}-in"
    _run("ip", "link", "add", host.link, "type", "veth", "peer", "name", inside)
    _run("ip", "link", "set", host.link, "master", BRIDGE, "up")
    _run("ip", "link", "set", inside, "netns", str(host.holder.pid))
    _run(*host.command(["ip", "addr", "add", f"{host.address}/24", "dev", inside]))
    _run(*host.command(["ip", "link", "set", inside, "up"]))
    _run(*host.command(["ip", "route", "add", "default", "via", f"{SUBNET}.254"]))
    return host


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)  # noqa: S603


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def _namespace(pid: int) -> str | None:
    try:
        return str(Path(f"/proc/{pid}/ns/net").readlink())
    except OSError:  # it has ended
        return None
