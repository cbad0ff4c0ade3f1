"""How a cluster is named, and what cannot be asked together with one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auto_quantize_model.engines import ENGINES
from auto_quantize_model.errors import InputError
from auto_quantize_model.flags import both_flags

if TYPE_CHECKING:
    from auto_quantize_model.engines import EngineName

_MOST_GPUS = 64
HERE = "auto"
"""The cluster that this host belongs to."""


def parse_address(text: str) -> str:
    """`auto`, or HOST:PORT, as it is."""
    if "://" in text:
        raise InputError(f"'{text}': only a host of the cluster itself can start a run; start it on one, with '{HERE}'")
    if text != HERE and host_and_port(text) is None:
        raise InputError(f"'{text}': write it as {HERE}, or as HOST:PORT with the port of `ray start --head`")
    return text


def parse_gpus(text: str) -> int:
    """How many GPUs a worker takes."""
    if not text.isdecimal() or not 0 < int(text) <= _MOST_GPUS:
        raise InputError(f"'{text}': write a whole number of GPUs, from 1 to {_MOST_GPUS}")
    return int(text)


def host_and_port(address: str) -> tuple[str, int] | None:
    """The two parts of an address; None where it has not these."""
    host, _, port = address.rpartition(":")
    return (host, int(port)) if host and port.isdecimal() and 0 < int(port) < 1 << 16 else None


def check_with_cluster(*, engine: EngineName, measures: bool, keeps: bool, limits_memory: bool) -> None:
    """Refuse what has no use on a cluster."""
    in_its_memory = "captures are in the memory of the cluster"
    reasons = (
        (not ENGINES[engine].captures, "engine", f"the engine {engine} is not shared out"),
        (measures, "measure", "one process alone can measure"),
        (keeps, "keep-capture", f"{in_its_memory}, and go with the run"),
        (limits_memory, "capture-memory", f"{in_its_memory}, which `ray start --object-store-memory` limits"),
    )
    for asked, option, reason in reasons:
        if asked:
            raise InputError(f"{both_flags(option)}: {reason}; leave it or {both_flags('cluster')} out")
