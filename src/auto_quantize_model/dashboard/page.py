"""The one HTML file: style, script and data in it, so that it needs nothing else and asks nobody for anything."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_PARTS = {"/*style*/": "style.css", "/*script*/": "script.js"}
_DATA = "/*data*/"


def render_page(data: Mapping[str, Any]) -> str:
    """The page as text, the same for the same data."""
    room = files(__package__)
    page = room.joinpath("page.html").read_text(encoding="utf-8")
    for place, name in _PARTS.items():
        page = page.replace(place, room.joinpath(name).read_text(encoding="utf-8"))
    before, after = page.split(_DATA)
    return f"{before}{_embedded(data)}{after}"


def _embedded(data: Mapping[str, Any]) -> str:
    """JSON inside a script element: nothing in it can end the element, or begin a comment."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
