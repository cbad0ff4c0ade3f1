from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from captions.notation import Choice, Notation, Voice, lines, words

RNG = Random(1)  # noqa: S311
NOTATION = Notation({"pet": words("cat=3 dog"), "kept": ("big {pet}",)})


def spell(text: str, *, form: str = "ing", many: bool = False) -> str:
    return NOTATION.template(text)(Voice(RNG, form, many, "their" if many else "her"))


def test_words_and_lines() -> None:
    assert words("  fire_hydrant=2\n bench ") == ("fire hydrant=2", "bench")
    assert lines("\n a [b/\n     c] d\n\n e \n") == ("a [b/c] d", "e")


def test_agreement() -> None:
    assert spell("*ride ~ <bike|bikes>") == "riding her bike"
    assert spell("*ride ~ <bike|bikes>", form="s") == "rides her bike"
    assert spell("*ride ~ <bike|bikes>", form="base", many=True) == "ride their bikes"


def test_lists_and_alternatives() -> None:
    assert spell("{pet:s}") in {"cats", "dogs"}
    assert spell("a {kept}") in {"a big cat", "a big dog"}
    assert spell("[x/x]{pet}[/]") in {"xcat", "xdog"}
    assert spell("<[a/a]|b> [<c|d>/<c|d>]", many=True) == "b d"


@pytest.mark.parametrize("text", ["a [b", "a <b|c", "a {Pet}", "a * b", "a }"])
def test_broken_notation_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="template"):
        NOTATION.template(text)


def test_unknown_list_is_an_error() -> None:
    with pytest.raises(KeyError):
        NOTATION.template("{nothing}")


def test_choice_follows_the_weights() -> None:
    choice = Choice([("often", 3), ("seldom", 1)])
    drawn = Counter(choice.draw(RNG) for _ in range(4000))
    assert 2900 < drawn["often"] < 3100
