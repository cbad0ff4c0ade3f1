"""The order of the rooms: who may import whom, for annotations too, and that nothing goes round in a circle."""

from __future__ import annotations

import ast
import functools
import graphlib
from typing import TYPE_CHECKING

import pytest
from tests.places import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE = "auto_quantize_model"
SOURCE = ROOT / "src" / PACKAGE

ORDER = (
    # What every room may use.
    "flags",
    "quoting",
    "errors",
    "engines",
    "device_names",
    "git",
    "interrupts",
    "collecting",
    "paths",
    "byte_sizes",
    "cache",
    "whole_files",
    "writable",
    "reporting",
    "cluster_address",
    "measuring",
    "stored_bits",
    # From the case matrix to a plan.
    "captions",
    "statistics",
    "cases",
    "checkpoints",
    "options",
    "commands",
    "plan",
    # What runs a plan.
    "precision",
    "availability",
    "families",
    "scores",
    "engine.machine",
    "engine.capture",
    "engine.replay",
    "engine.measurement",
    "engine",
    "engine.cluster",
    # What comes of it.
    "manifest",
    "reports",
    "pictures",
    "artifacts",
    "comparison",
    "baselines",
    "run",
    "result_rows",
    "recipes",
    "explain",
    "dashboard",
    # The front doors.
    "summary",
    "plugin",
    "cli",
    "__main__",
)
"""A module imports from its own room and from those above it in this list, never from one below."""


@functools.cache
def imports() -> dict[str, set[str]]:
    """What each module of the package imports from the package, by dotted names below it."""
    modules = {_name(file): file for file in SOURCE.rglob("*.py")}
    return {name: _imported(file, name, set(modules)) for name, file in modules.items()}


def _name(file: Path) -> str:
    parts = file.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(file: Path, name: str, modules: set[str]) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    targets: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import hides where it goes"
            base = node.module or ""
            targets.update(f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            targets.update(alias.name for alias in node.names)
    below = {target.removeprefix(f"{PACKAGE}.") for target in targets if target.startswith(f"{PACKAGE}.")}
    # `from room.module import name` names the module, `from room import module` too.
    found = {target if target in modules else target.rpartition(".")[0] for target in below}
    return found - {name, ""}


def room_of(module: str) -> str:
    parts = module.split(".")
    for length in (2, 1):
        room = ".".join(parts[:length])
        if room in ORDER:
            return room
    return parts[0]


def test_every_module_has_its_place_in_the_order() -> None:
    # The package itself only names what is public, and imports it when it is asked for.
    assert {room_of(module) for module in imports() if module} == set(ORDER)


def test_no_module_imports_from_a_room_below_its_own() -> None:
    wrong = [
        f"{module} ({room_of(module)}) imports {target} ({room_of(target)})"
        for module, targets in imports().items()
        for target in targets
        if module and ORDER.index(room_of(target)) > ORDER.index(room_of(module))
    ]
    assert not wrong


def test_no_import_goes_round_in_a_circle() -> None:
    circle: list[str] = []
    try:
        graphlib.TopologicalSorter(imports()).prepare()
    except graphlib.CycleError as error:
        circle = error.args[1]
    assert not circle


def test_a_circle_and_an_upward_import_would_be_seen(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n"
        f"    from {PACKAGE}.plugin.session import Session\n"
        "def later() -> None:\n"
        f"    import {PACKAGE}.run\n",
        encoding="utf-8",
    )
    assert _imported(file, "errors", {"plugin.session", "run"}) == {"plugin.session", "run"}
    with pytest.raises(graphlib.CycleError):
        graphlib.TopologicalSorter({"a": {"b"}, "b": {"a"}}).prepare()
