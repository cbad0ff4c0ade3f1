"""Failing a test with lines for its reader: no traceback, no path longer than it need be."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import pytest

from auto_quantize_model.paths import shortened
from auto_quantize_model.quoting import lines_visible, visible

if TYPE_CHECKING:
    from collections.abc import Iterable


def fail(message: str) -> NoReturn:
    """Fail the test with a message; paths below the working directory are shown relative to it."""
    raise pytest.fail.Exception(lines_visible(shortened(message)), pytrace=False) from None


def fail_on(problems: Iterable[str]) -> None:
    """Fail the test if there are problems, one line each."""
    lines = [visible(each) for each in problems]
    if lines:
        fail("\n".join(lines))
