"""Being told to stop: what a command has begun is undone as after Ctrl-C, and the terminal's cursor comes back."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Terminated(BaseException):
    """Somebody told this process to stop."""


@contextlib.contextmanager
def unwinding_when_terminated() -> Iterator[None]:
    """Turn the signal into an exception, where signals can be handled at all."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _raise) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise(*_: object) -> NoReturn:
    raise Terminated
