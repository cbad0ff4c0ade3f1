"""What ModelOpt prints and warns about, kept from the user."""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def modelopt_quiet() -> Iterator[None]:
    """Keep what ModelOpt prints and warns about from the user: all of it is intended here."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield
