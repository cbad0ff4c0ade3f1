"""What every checkpoint has in common, whatever its format."""

from __future__ import annotations

import abc
import contextlib
import functools
from typing import TYPE_CHECKING

from auto_quantize_model.checkpoints.fingerprint import remembered

if TYPE_CHECKING:
    from collections.abc import Container
    from contextlib import AbstractContextManager
    from pathlib import Path

AGAIN = "download the checkpoint again"


class Checkpoint(abc.ABC):
    """A model's weights on this machine, checked before anything is loaded from them."""

    def __init__(self, path: Path, fix: str = AGAIN) -> None:
        """`fix` says what to do about a checkpoint that is not whole."""
        self.path = path
        self.fix = fix

    @property
    @abc.abstractmethod
    def files(self) -> tuple[Path, ...]:
        """The files that the fingerprint depends on."""

    @property
    @abc.abstractmethod
    def source(self) -> tuple[str, dict[str, str]]:
        """What transformers' `from_pretrained` takes to load from here: the place, and further arguments."""

    def being_loaded(self) -> AbstractContextManager[None]:
        """A context in which transformers can load from here."""
        return contextlib.nullcontext()

    @abc.abstractmethod
    def require_loadable(self, model_types: Container[str], kind: str) -> None:
        """Refuse a model that the installed transformers cannot load as one of a kind, or that cannot be scored."""

    @abc.abstractmethod
    def require_tokenizer(self) -> None:
        """Refuse a checkpoint without a tokenizer."""

    @abc.abstractmethod
    def special_tokens(self) -> dict[str, int]:
        """Special tokens that the checkpoint states and transformers does not read as stated: name to token."""

    @property
    def tensor_names(self) -> tuple[str, ...]:
        """What its files call its tensors, in the way of Hugging Face; nothing where they have a way of their own."""
        return ()

    @abc.abstractmethod
    def digest(self) -> str:
        """SHA-256 over every tensor's name, type, shape and bytes."""

    @property
    @abc.abstractmethod
    def parameters(self) -> int:
        """How many numbers all its tensors have, those of parts that are never scored too."""

    @functools.cached_property
    def fingerprint(self) -> str:
        """The digest, remembered as long as no file changes."""
        return remembered(self.files, self.digest)
