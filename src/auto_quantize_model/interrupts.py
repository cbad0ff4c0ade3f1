"""Ctrl-C while a library works that would take it for an error of its own."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType, TracebackType

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class interrupts_prevail:  # noqa: N801  used as a function: `with interrupts_prevail():`
    """See to it that what ends the process in the block does end it, whatever the block makes of it.

    Libraries written in Rust call Python, and turn what is raised there into errors of their own: while safetensors
    reads a tensor, one Ctrl-C of three ends in a `ValueError`, and a whole file would be taken for a damaged one.
    """

    # No generator: one that is interrupted on its way in or out is finished later, and then complains on the terminal.
    def __init__(self) -> None:
        self._came: list[int] = []
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self._handlers = {each: handler for each in _SIGNALS if callable(handler := signal.getsignal(each))}
            for number in self._handlers:
                signal.signal(number, self._note)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if self._came and (kind is None or issubclass(kind, Exception)):
            signal.raise_signal(self._came[0])

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._came.append(number)
        self._handlers[number](number, frame)
