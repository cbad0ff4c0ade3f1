"""Importing ModelOpt, which takes most of a short run, without what nothing here needs of it."""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
from types import FunctionType
from typing import TYPE_CHECKING, Any

import torch

from auto_quantize_model.collecting import collector_paused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@functools.cache
def import_modelopt() -> None:
    """Import ModelOpt's quantization; later imports of it find it there."""
    with collector_paused(), compiling_later():
        import modelopt.torch.quantization  # noqa: F401
    # The interpreter's last collection would go through all that was imported, for a second, and free none of it.
    atexit.register(gc.freeze)


@contextlib.contextmanager
def compiling_later() -> Iterator[None]:
    """Have functions that are decorated with `torch.compile` inside a `with` block compiled when they first run.

    ModelOpt decorates functions that replay never calls, and each takes all of torch's compiler to be imported.
    """
    compile_now = torch.compile

    def compile_later(model: Any = None, **options: Any) -> Any:
        if model is None:
            return functools.partial(compile_later, **options)
        if not isinstance(model, FunctionType):
            return compile_now(model, **options)
        compiled: Callable[[], Any] = functools.cache(lambda: compile_now(model, **options))

        @functools.wraps(model)
        def first_compiled(*arguments: Any, **named: Any) -> Any:
            return compiled()(*arguments, **named)

        return first_compiled

    torch.compile = compile_later
    try:
        yield
    finally:
        torch.compile = compile_now
