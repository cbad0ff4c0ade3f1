"""The engines that can score a case. The names alone: nothing here imports torch."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

from auto_quantize_model.errors import InputError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

EngineName = Literal["replay", "modelopt"]


@dataclasses.dataclass(frozen=True, slots=True)
class Engine:
    """An engine, as options and messages speak of it."""

    what: str
    """What it does, for a help text."""
    captures: bool
    """Whether it records captures, which can be kept."""


ENGINES: Mapping[EngineName, Engine] = {
    "replay": Engine("every case from one pass", captures=True),
    "modelopt": Engine("ModelOpt's own loop, the reference", captures=False),
}
DEFAULT_ENGINE: EngineName = "replay"


def check_engine(name: object) -> None:
    """Refuse a name that is no engine's."""
    if name not in ENGINES:
        raise InputError(f"engine '{name}' is unknown; {nearest(str(name), ENGINES)}")
