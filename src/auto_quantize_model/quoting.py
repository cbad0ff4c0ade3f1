"""How a text that somebody else wrote is shown: one function for each place where it could mean something there."""

from __future__ import annotations

import re

_MARKDOWN = re.compile(r"[\\|`*~\[\]]")


def visible(text: str) -> str:
    """On a terminal, or on one line: what would move a cursor, turn a text around or end a line is an escape."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escape(each) for each in text)


def lines_visible(text: str) -> str:
    """The same for a text of several lines, each of them trusted to be one."""
    return "\n".join(map(visible, text.split("\n")))


def markdown(text: str) -> str:
    """In the running text or a table's cell of a Markdown file: nothing in it is markup or HTML."""
    quoted = _MARKDOWN.sub(r"\\\g<0>", visible(text).replace("&", "&amp;"))
    return quoted.replace("<", "&lt;").replace(">", "&gt;")


def code(text: str) -> str:
    """As code in a Markdown file, in a table's cell too."""
    shown = visible(text).replace("|", "\\|")
    if "`" not in shown:
        return f"`{shown}`"
    fence = "`" * (1 + max(map(len, re.findall("`+", shown))))
    return f"{fence} {shown} {fence}"


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
