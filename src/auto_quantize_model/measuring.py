"""What of a case is measured by really quantizing it. The names alone: nothing here imports torch."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Literal

from auto_quantize_model.engines import ENGINES
from auto_quantize_model.errors import InputError
from auto_quantize_model.flags import both_flags

if TYPE_CHECKING:
    from pathlib import Path

    from auto_quantize_model.engines import EngineName

SCOPES = "none|cases|top:N|all"


@dataclasses.dataclass(frozen=True, slots=True)
class Scope:
    """Whether the case as a whole is measured, and which of its groups are, each alone."""

    what: Literal["none", "cases", "top", "all"] = "none"
    top: int = 0
    """How many groups, of those that score highest; a group whose order with the last of them is open counts too."""

    def __bool__(self) -> bool:
        """Whether anything is measured."""
        return self.what != "none"

    def __str__(self) -> str:
        """As an option has it."""
        return f"top:{self.top}" if self.what == "top" else self.what


@dataclasses.dataclass(frozen=True, slots=True)
class MeasureSettings:
    """What a run measures, and on which captions."""

    scope: Scope = dataclasses.field(default_factory=Scope)
    captions: Path | None = None
    """A file of captions to measure on; None: those that are scored."""


def parse_scope(text: str) -> Scope:
    """`none`, `cases`, `top:N` or `all`."""
    match text:
        case "none" | "cases" | "all":
            return Scope(text)
    top = re.fullmatch(r"top:0*([1-9][0-9]{0,8})", text)
    if top is None:
        raise InputError(f"'{text}' is nothing to measure; valid: none, cases, top:N (such as top:10), all")
    return Scope("top", int(top.group(1)))


def checked_measure(scope: Scope, captions: Path | None, engine: EngineName) -> MeasureSettings:
    """What is asked together; a contradiction is an `InputError`."""
    if scope and not ENGINES[engine].captures:
        raise InputError(f"{both_flags('measure')}: the engine {engine} measures nothing; leave one out")
    if captions is not None and not scope:
        raise InputError(f"{both_flags('measure-on')}: nothing is measured; add {both_flags('measure', 'cases')}")
    if captions is not None and not captions.is_file():
        raise InputError(f"{both_flags('measure-on')}: {captions}: no such file; name a file with a caption a line")
    return MeasureSettings(scope, captions)
