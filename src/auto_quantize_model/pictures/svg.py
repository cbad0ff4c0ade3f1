"""SVG as text: few elements, short numbers, and nothing of a name that is markup."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from auto_quantize_model.quoting import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

STYLE = """\
text{font:14px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;fill:#1f2328}
.paper{fill:#fff}.h{font-size:17px;font-weight:600}.b{font-weight:600}.s{font-size:12px}.m{fill:#59636e}
.t{font:12px ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace}
.l{font-size:12px;font-weight:600;paint-order:stroke;stroke:#fff;stroke-width:3;stroke-linejoin:round}
.e{text-anchor:end}.c{text-anchor:middle}
.grid{stroke:#d1d9e0;fill:none}.axis{stroke:#818b98;fill:none}
.p{stroke:#0550ae;fill:none}.pf{fill:#0550ae}.q{stroke:#bc4c00;fill:none}.qf{fill:#bc4c00}
.o{stroke:#6e3a9c;fill:none}.of{fill:#6e3a9c}
.dot{stroke-linecap:round;stroke-width:6}.thin{stroke-width:1.5}.wide{stroke-width:5;opacity:.35}
.b0{fill:#eef1f4}.b1{fill:#d4dbe3}.b2{fill:#b9c4d0}.b3{fill:#9fadbd}
.c0{fill:#fff8ec}.c1{fill:#ffecd0}.c2{fill:#ffdaa6}.c3{fill:#fec578}.c4{fill:#fbab4d}.c5{fill:#f39034}.c6{fill:#e67a2e}
.x{fill:url(#x)}#x path{stroke:#818b98}
@media (prefers-color-scheme:dark){
text{fill:#f0f6fc}.paper{fill:#0d1117}.m{fill:#9198a1}.l{stroke:#0d1117}.grid{stroke:#30363d}.axis{stroke:#7d8590}
.p{stroke:#79c0ff}.pf{fill:#79c0ff}.q{stroke:#ffa657}.qf{fill:#ffa657}.o{stroke:#d2a8ff}.of{fill:#d2a8ff}
.b0{fill:#1c222a}.b1{fill:#2c343e}.b2{fill:#3d4753}.b3{fill:#505c6a}
.c0{fill:#1d1710}.c1{fill:#332412}.c2{fill:#4a3112}.c3{fill:#623d11}.c4{fill:#7a490f}.c5{fill:#92540d}.c6{fill:#a85f10}
}"""
"""Both of a reader's colour schemes; blue, orange and purple are told apart by every kind of colour vision."""
HATCH = '<pattern id="x" width="6" height="6" patternUnits="userSpaceOnUse"><path d="M0 6l6-6"/></pattern>'
"""Where nothing was measured, beside a word that says so."""


class Drawing:
    """Elements in the order in which they are drawn, one a line."""

    def __init__(self, width: float, title: str, description: str, style: str = "", patterns: str = "") -> None:
        """`style` and `patterns` are what only this figure has of them."""
        self.width = width
        self._style, self._patterns = style, patterns
        self._title, self._description = title, description
        self._lines: list[str] = []

    def text(self, x: float, y: float, text: str, style: str = "") -> None:
        self._lines.append(f'<text x="{number(x)}" y="{number(y)}"{_class(style)}>{quoted(text)}</text>')

    def row_of_text(self, x: float, y: float, width: float, text: str) -> None:
        """Text whose characters stand at equal distances, whatever the font: cells of one row in one element."""
        place = f'x="{number(x)}" y="{number(y)}" textLength="{number(width)}"'
        self._lines.append(f'<text {place} xml:space="preserve" class="t">{quoted(text)}</text>')

    def letters(self, places: Iterable[float], y: float, text: str, style: str) -> None:
        """A letter at each place, centred, in one element."""
        listed = " ".join(map(number, places))
        if listed:
            self._lines.append(f'<text x="{listed}" y="{number(y)}"{_class(style)}>{quoted(text)}</text>')

    def path(self, parts: Iterable[str], style: str) -> None:
        """One path of many parts; nothing where there are none."""
        joined = "".join(parts)
        if joined:
            self._lines.append(f'<path d="{joined}"{_class(style)}/>')

    def rectangle(self, x: float, y: float, width: float, height: float, style: str) -> None:
        size = f'width="{number(width)}" height="{number(height)}"'
        self._lines.append(f'<rect x="{number(x)}" y="{number(y)}" {size}{_class(style)}/>')

    def render(self, height: float) -> str:
        """The file; its title and description are what a screen reader says."""
        size = f'width="{number(self.width)}" height="{number(height)}"'
        box = f'viewBox="0 0 {number(self.width)} {number(height)}"'
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} {box} role="img" aria-labelledby="title desc">',
            f'<title id="title">{quoted(self._title)}</title>',
            f'<desc id="desc">{quoted(self._description)}</desc>',
            f"<style>{STYLE}{self._style}</style>",
            f"<defs>{HATCH}{self._patterns}</defs>",
            f'<rect width="{number(self.width)}" height="{number(height)}" class="paper"/>',
        )
        return "\n".join((*head, *self._lines, "</svg>")) + "\n"


def dot(x: float, y: float) -> str:
    """A part of a path whose class is `dot`: a line of no length with round ends."""
    return f"M{number(x)} {number(y)}h0"


def bar(x: float, low: float, high: float) -> str:
    """A part of a path: an interval, upright."""
    return f"M{number(x)} {number(low)}V{number(high)}"


def across(x: float, y: float, end: float) -> str:
    """A part of a path: an interval, lying."""
    return f"M{number(x)} {number(y)}H{number(end)}"


def diamond(x: float, y: float, size: float = 4.5) -> str:
    """A part of a path."""
    half = number(size)
    return f"M{number(x)} {number(y - size)}l{half} {half}l-{half} {half}l-{half}-{half}z"


def ring(x: float, y: float, radius: float = 7) -> str:
    """A part of a path."""
    size, across_it = number(radius), number(2 * radius)
    return f"M{number(x - radius)} {number(y)}a{size} {size} 0 1 0 {across_it} 0a{size} {size} 0 1 0-{across_it} 0"


def cross(x: float, y: float, size: float = 4) -> str:
    """A part of a path."""
    whole = number(2 * size)
    return f"M{number(x - size)} {number(y - size)}l{whole} {whole}m-{whole} 0l{whole}-{whole}"


def box(x: float, y: float, width: float, height: float) -> str:
    """A part of a path."""
    return f"M{number(x)} {number(y)}h{number(width)}v{number(height)}H{number(x)}z"


def number(value: float) -> str:
    """A coordinate, to a tenth of a pixel."""
    text = f"{value:.1f}"
    if text.endswith(".0"):
        return "0" if text == "-0.0" else text[:-2]
    return text


def quoted(text: str) -> str:
    """Text that somebody else wrote, between tags or as an attribute."""
    return escape(visible(text))


def _class(style: str) -> str:
    return f' class="{style}"' if style else ""
