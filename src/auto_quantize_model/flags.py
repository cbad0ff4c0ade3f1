"""How an option is typed: with a prefix for pytest, where other plugins have options too, and without it elsewhere."""

from __future__ import annotations

PYTEST_PREFIX = "--sensitivity-"


def both_flags(name: str, value: str | None = None) -> str:
    """An option as both front doors take it, for a message of a part that does not know which one was used."""
    given = "" if value is None else f" {value}"
    return f"{PYTEST_PREFIX}{name}{given} (python -m auto_quantize_model: --{name}{given})"
