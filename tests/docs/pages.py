"""The pages that readers get, taken apart: code, commands, links, headings."""

from __future__ import annotations

import dataclasses
import re
import shlex
from typing import TYPE_CHECKING

from tests.places import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Words = tuple[str, ...]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = tuple(
    page
    for page in (
        README,
        ROOT / "CONTRIBUTING.md",
        *sorted(DOCS.glob("*.md")),
        *sorted(ROOT.glob("models/*/README.md")),
        ROOT / "sensitivity_cases" / "data" / "README.md",
    )
    if page.is_file()
)

_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?<=\n\n)(?:    .*\n)+")
_SPAN = re.compile(r"`([^`\n]+)`")
_PROGRAMS = (
    "pytest",
    "python",
    "python3",
    "nox",
    "pip",
    "hf",
    "export",
    "git",
    "pre-commit",
    "cd",
    "bash",
    "source",
    "ray",
    "sbatch",
)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Block:
    """A block of code."""

    language: str
    text: str


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        yield Block(found["language"], found["text"])
    for indented in _INDENTED.finditer(_FENCE.sub("", text)):
        yield Block("", re.sub(r"(?m)^    ", "", indented[0]))


def prose(page: Path) -> str:
    return _INDENTED.sub("", _FENCE.sub("", page.read_text(encoding="utf-8")))


def spans(page: Path) -> list[str]:
    """The code within lines of text."""
    return _SPAN.findall(prose(page))


def commands(page: Path) -> Iterator[Words]:
    """The words of every command of a page, one command at a time, without comments."""
    lines = [line for block in blocks(page) if _is_shell(block) for line in block.text.splitlines()]
    lines += [span for span in spans(page) if span.split()[0] in _PROGRAMS]
    for line in lines:
        for command in line.split(" && "):
            words = tuple(shlex.split(command, comments=True))
            if words:
                yield words


def _is_shell(block: Block) -> bool:
    first = block.text.split()[0]
    return block.language == "bash" or (not block.language and first.rpartition("/")[2] in _PROGRAMS)


def links(page: Path) -> list[str]:
    return _LINK.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """The headings of a page, as links name them."""
    headings = _HEADING.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
