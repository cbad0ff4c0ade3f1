"""What a session of nox runs, found out by calling it, without nox and without running anything."""

from __future__ import annotations

import functools
import runpy
import sys
import tomllib
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn
from unittest import mock

from tests.places import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.docs.pages import Words


class Noted:
    """Stands in for nox's session: notes what it would run."""

    def __init__(self, posargs: Words) -> None:
        self.posargs = list(posargs)
        self.ran: list[Words] = []

    def run(self, *words: str | Path, **_: Any) -> None:
        self.ran.append(tuple(str(word) for word in words))

    def install(self, *words: str, **_: Any) -> None:
        """What is installed is for `pip`'s own commands to say."""

    def error(self, message: str) -> NoReturn:
        raise AssertionError(message)

    def __getattr__(self, name: str) -> Any:
        """Whatever else a session is asked for: where it is, what it could do."""
        return mock.MagicMock(name=name)


@functools.cache
def sessions() -> dict[str, Callable[[Any], None]]:
    """The sessions of the noxfile, by name."""
    found: dict[str, Callable[[Any], None]] = {}

    def session(function: Callable[[Any], None] | None = None, **_: Any) -> Any:
        if function is None:
            return session
        found[function.__name__] = function
        return function

    def load_toml(name: str) -> dict[str, Any]:
        return tomllib.loads((ROOT / name).read_text(encoding="utf-8"))

    nox: Any = ModuleType("nox")
    nox.session = session
    nox.options = SimpleNamespace()
    nox.project = SimpleNamespace(load_toml=load_toml, dependency_groups=lambda *_: ())
    nox.Session = Noted
    with mock.patch.dict(sys.modules, {"nox": nox}):
        runpy.run_path(str(ROOT / "noxfile.py"))
    return found


def commands_of(name: str, posargs: Words = ()) -> list[Words]:
    """What a session runs; one that does not exist is a `KeyError`."""
    noted = Noted(posargs)
    sessions()[name](noted)
    return noted.ran
