"""The plugin's door: an error of its own that nobody foresaw ends the session in one line."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import pytest

from auto_quantize_model.errors import describe_bug

if TYPE_CHECKING:
    from collections.abc import Callable

_P = ParamSpec("_P")
_R = TypeVar("_R")


def one_line(hook: Callable[_P, _R]) -> Callable[_P, _R]:
    """A hook that ends the session with a line that says what is wrong and how to report it."""

    @functools.wraps(hook)
    def guarded(*arguments: _P.args, **named: _P.kwargs) -> _R:
        try:
            return hook(*arguments, **named)
        except (pytest.UsageError, pytest.Collector.CollectError):
            raise
        except Exception as error:
            if _config_of(arguments[0]).getoption("fulltrace", False):
                raise
            way = "add --full-trace to see the traceback, and report it"
            bug = describe_bug(error, way)
            if isinstance(arguments[0], pytest.Metafunc):
                # An exit would be an error of the file that is collected, under a traceback.
                raise pytest.Collector.CollectError(bug) from None
            pytest.exit(bug, returncode=pytest.ExitCode.INTERNAL_ERROR)

    return guarded


def _config_of(first: Any) -> Any:
    """The configuration, which is the first argument of a hook or belongs to it."""
    return getattr(first, "config", first)
