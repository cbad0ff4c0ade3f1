"""The notation that caption templates are written in, and how a template is spelled out.

`{color}`        one entry of the word list `color`; `{color:s}` is the same in the plural
`[big/small/]`   one of these, here perhaps nothing
`<a hat|hats>`   the first for a single subject, the second for several
`*ride`          a verb in the form that its clause wants: ride, rides or riding
`~`              the subject's possessive: his, her, its or their

An entry of a list may end in `=3`: it is drawn three times as often as one that does not. Templates write `a`
before what is drawn and leave double blanks behind; both are put right when a caption is finished.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Generic, TypeVar

from captions.inflection import plural, with_ing, with_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from random import Random

T = TypeVar("T")
_TOKEN = re.compile(r"\{[a-z_]+(?::s)?\}|\*[a-z]+|[\[\]<>|/~]|[^\[\]<>|/~{}*]+")
_CONTINUED = re.compile(r"/\s*\n\s*")
_WEIGHT = re.compile(r"(.*?)(?:\s*=(\d+))?")


def words(text: str) -> tuple[str, ...]:
    """Split a list of words; an underscore stands for a blank inside an entry."""
    return tuple(word.replace("_", " ") for word in text.split())


def lines(text: str) -> tuple[str, ...]:
    """Split a list of templates, one a line; a line that ends in a slash goes on in the next."""
    whole = _CONTINUED.sub("/", text)
    return tuple(stripped for line in whole.splitlines() if (stripped := line.strip()))


class Choice(Generic[T]):
    """A weighted choice that needs only `Random.random`, whose numbers no Python version may change."""

    def __init__(self, options: Iterable[tuple[T, int]]) -> None:
        """Take the options, each with its weight."""
        pairs = list(options)
        self._options = [option for option, _ in pairs]
        self._bounds = list(accumulate(weight for _, weight in pairs))

    def draw(self, rng: Random) -> T:
        """Return one option."""
        return self._options[bisect_right(self._bounds, int(rng.random() * self._bounds[-1]))]


@dataclass(frozen=True)
class Voice:
    """What the words of a clause agree with."""

    rng: Random
    form: str = "ing"
    many: bool = False
    their: str = "its"


if TYPE_CHECKING:
    Template = Callable[[Voice], str]


class Notation:
    """Turns written templates into functions that spell them out, with its word lists in reach."""

    def __init__(self, word_lists: Mapping[str, tuple[str, ...]]) -> None:
        """Take the word lists that `{name}` draws from."""
        self._word_lists = word_lists
        self._drawn: dict[str, Template] = {}

    def choice(self, entries: Iterable[str]) -> Template:
        """Return a template that spells out one of these entries."""
        options = Choice(self._weighted(entry) for entry in entries)
        return lambda voice: options.draw(voice.rng)(voice)

    def template(self, text: str) -> Template:
        """Return what spells out this text; a text that breaks the notation is a ValueError."""
        tokens = _TOKEN.findall(text)
        if "".join(tokens) != text:
            raise ValueError(f"not in the templates' notation: {text!r}")
        template, _ = self._sequence(iter(tokens), ("",))
        return template

    def _weighted(self, entry: str) -> tuple[Template, int]:
        match = _WEIGHT.fullmatch(entry)
        if match is None:
            raise ValueError(f"not an entry of a list: {entry!r}")
        return self.template(match[1]), int(match[2] or 1)

    def _sequence(self, tokens: Iterator[str], stops: tuple[str, ...]) -> tuple[Template, str]:
        parts: list[Template] = []
        for token in tokens:
            if token in stops:
                return _joined(parts), token
            parts.append(self._part(token, tokens))
        if "" not in stops:
            raise ValueError(f"a template ends before one of {' '.join(stops)}")
        return _joined(parts), ""

    def _part(self, token: str, tokens: Iterator[str]) -> Template:
        match token[0]:
            case "{":
                return self._listed(token[1:-1])
            case "[":
                return self._alternatives(tokens)
            case "<":
                return self._agreeing(tokens)
            case "*":
                return _verb(token[1:])
            case "~":
                return lambda voice: voice.their
            case _:
                return lambda _voice: token

    def _listed(self, name: str) -> Template:
        """Draw from a word list; it is read when first named, so lists may name each other in any order."""
        if name.endswith(":s"):
            singular = self._listed(name.removesuffix(":s"))
            return lambda voice: plural(singular(voice))
        if name not in self._drawn:
            self._drawn[name] = self.choice(self._word_lists[name])
        return self._drawn[name]

    def _alternatives(self, tokens: Iterator[str]) -> Template:
        options, stop = [], "/"
        while stop == "/":
            option, stop = self._sequence(tokens, ("/", "]"))
            options.append((option, 1))
        choice = Choice(options)
        return lambda voice: choice.draw(voice.rng)(voice)

    def _agreeing(self, tokens: Iterator[str]) -> Template:
        one, _ = self._sequence(tokens, ("|",))
        many, _ = self._sequence(tokens, (">",))
        return lambda voice: (many if voice.many else one)(voice)


def _joined(parts: list[Template]) -> Template:
    if len(parts) == 1:
        return parts[0]
    return lambda voice: "".join([part(voice) for part in parts])


def _verb(base: str) -> Template:
    forms = {"ing": with_ing(base), "s": with_s(base), "base": base}
    return lambda voice: forms[voice.form]
