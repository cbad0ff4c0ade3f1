"""Keeping transformers' own progress bars and reports out of the user's terminal while a model loads."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@contextlib.contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence transformers for the duration of a `with` block; what it would have said is checked here anyway."""
    from transformers import modeling_gguf_pytorch_utils as gguf
    from transformers.utils import logging

    # Reading a GGUF file has a bar of its own, which no setting of transformers reaches.
    bar, gguf.tqdm = gguf.tqdm, _no_bar
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        gguf.tqdm = bar
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _no_bar(items: Iterable[Any], **_: object) -> Iterable[Any]:
    return items
