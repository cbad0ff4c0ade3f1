"""Selection expressions with the grammar and the matching of pytest's `-k`, without pytest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from auto_quantize_model.cases.overrides import shown
from auto_quantize_model.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable


_TOKEN = re.compile(r"\s*(?:(?P<paren>[()])|(?P<name>(?::?[\w+\-.\[\]\\/:])+))")
_DEEPEST = 100
_OPERATORS = ("and", "or", "not")
_PARENTHESES = ("(", ")")


def compile_expression(text: str) -> Callable[[str], bool]:
    """Compile an expression; the result says whether a case id matches. An empty one matches all."""
    if not text.strip():
        return lambda _: True
    return _Parser(text).parse()


class _Parser:
    """Recursive descent: expression := and_test ('or' and_test)*; and_test := not_test ('and' not_test)*."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = self._tokens()
        self.next = 0
        self.depth = 0

    def parse(self) -> Callable[[str], bool]:
        result = self._either()
        if self._peek():
            self._fail("expected 'and', 'or' or the end")
        return result

    def _tokens(self) -> list[tuple[str, int]]:
        tokens, position, end = [], 0, len(self.text.rstrip())
        while position < end:
            match = _TOKEN.match(self.text, position)
            if match is None:
                column = position + len(self.text[position:]) - len(self.text[position:].lstrip()) + 1
                raise InputError(
                    f"-k '{shown(self.text)}': unexpected '{self.text[column - 1]}' at column {column}; "
                    "write names joined by and, or, not and parentheses"
                )
            tokens.append((match.group().strip(), match.end()))
            position = match.end()
        return tokens

    def _peek(self) -> str:
        return self.tokens[self.next][0] if self.next < len(self.tokens) else ""

    def _take(self, token: str) -> bool:
        if self._peek() == token:
            self.next += 1
            return True
        return False

    def _either(self) -> Callable[[str], bool]:
        terms = [self._both()]
        while self._take("or"):
            terms.append(self._both())
        return lambda name: any(term(name) for term in terms)

    def _both(self) -> Callable[[str], bool]:
        terms = [self._negated()]
        while self._take("and"):
            terms.append(self._negated())
        return lambda name: all(term(name) for term in terms)

    def _negated(self) -> Callable[[str], bool]:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise InputError(f"-k '{shown(self.text)}': nested more than {_DEEPEST} deep; write it shorter")
        result = self._nested()
        self.depth -= 1
        return result

    def _nested(self) -> Callable[[str], bool]:
        if self._take("not"):
            inner = self._negated()
            return lambda name: not inner(name)
        if self._take("("):
            inner = self._either()
            if not self._take(")"):
                self._fail("expected ')'")
            return inner
        return self._name()

    def _name(self) -> Callable[[str], bool]:
        token = self._peek()
        if not token or token in _OPERATORS or token in _PARENTHESES:
            self._fail("expected a name, 'not' or '('")
        self.next += 1
        part = token.lower()
        return lambda name: part in name.lower()

    def _fail(self, expected: str) -> None:
        instead = f"'{self._peek()}'" if self._peek() else "the end"
        raise InputError(f"-k '{shown(self.text)}': {expected}, found {instead}")
