"""JSON with two spaces of indentation, the same text as the standard library's, in a third of the time.

The library writes indented JSON in Python, one generator a level; its fast writer knows no indentation. The other
libraries write numbers otherwise. Every artifact is written by this, and every drift check compares with it.
"""

from __future__ import annotations

import math
from json.encoder import encode_basestring  # the library's own, in C
from typing import Any


def indented(value: Any) -> str:
    """The text of `json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)`."""
    parts: list[str] = []
    _write(value, "\n", parts)
    return "".join(parts)


def _write(value: Any, line: str, parts: list[str]) -> None:
    """Add the text of a value; `line` ends a line and indents the next as the value's own is."""
    if isinstance(value, str):
        parts.append(encode_basestring(value))
    elif value is None or isinstance(value, bool):
        parts.append({None: "null", True: "true", False: "false"}[value])
    elif isinstance(value, int):
        parts.append(int.__repr__(value))
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} is no JSON number")
        parts.append(float.__repr__(value))
    elif isinstance(value, dict):
        _write_all([(f"{_key(key)}: ", inner) for key, inner in value.items()], "{}", line, parts)
    elif isinstance(value, list | tuple):
        _write_all([("", inner) for inner in value], "[]", line, parts)
    else:
        raise TypeError(f"a {type(value).__name__} is no JSON value")


def _write_all(members: list[tuple[str, Any]], brackets: str, line: str, parts: list[str]) -> None:
    if not members:
        parts.append(brackets)
        return
    deeper = f"{line}  "
    separator = brackets[0] + deeper
    for prefix, inner in members:
        parts.append(separator + prefix)
        _write(inner, deeper, parts)
        separator = f",{deeper}"
    parts.append(line + brackets[1])


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"the key {key!r} is no text")
    text: str = encode_basestring(key)
    return text
