"""How devices are named: in options, in `autoquant.device`, in calls."""

from __future__ import annotations

import re

from auto_quantize_model.errors import InputError

DEVICE_NAMES = ("auto", "cpu", "cuda", "cuda:N")
_NAME = re.compile(r"(?P<kind>auto|cpu|cuda)|cuda:(?P<index>[0-9]+)")


def parse_device(name: str) -> tuple[str, int | None]:
    """The kind of a device, and which one of that kind if the name says so."""
    found = _NAME.fullmatch(name)
    if found is None:
        raise InputError(f"device '{name}' is unknown; use {', '.join(DEVICE_NAMES[:-1])} or {DEVICE_NAMES[-1]}")
    index = found["index"]
    return found["kind"] or "cuda", None if index is None else int(index)


def checked_device(name: str) -> str:
    """A name that a device may have, as it is."""
    parse_device(name)
    return name
