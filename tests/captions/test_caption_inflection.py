from __future__ import annotations

import pytest
from captions.inflection import plural, with_articles, with_ing, with_s


@pytest.mark.parametrize(
    ("noun", "expected"),
    [
        ("dog", "dogs"),
        ("bus", "buses"),
        ("bench", "benches"),
        ("puppy", "puppies"),
        ("donkey", "donkeys"),
        ("woman", "women"),
        ("police officer", "police officers"),
        ("sheep", "sheep"),
        ("bookshelf", "bookshelves"),
        ("glass of wine", "glasses of wine"),
        ("vase with tulips", "vases with tulips"),
    ],
)
def test_plural(noun: str, expected: str) -> None:
    assert plural(noun) == expected


@pytest.mark.parametrize(
    ("verb", "third_person", "participle"),
    [
        ("ride", "rides", "riding"),
        ("sit", "sits", "sitting"),
        ("lie", "lies", "lying"),
        ("catch", "catches", "catching"),
        ("carry", "carries", "carrying"),
        ("play", "plays", "playing"),
        ("row", "rows", "rowing"),
        ("ski", "skis", "skiing"),
        ("have", "has", "having"),
        ("do", "does", "doing"),
        ("open", "opens", "opening"),
    ],
)
def test_verb_forms(verb: str, third_person: str, participle: str) -> None:
    assert (with_s(verb), with_ing(verb)) == (third_person, participle)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a apple", "an apple"),
        ("A old man and a elephant", "An old man and an elephant"),
        ("a one way sign", "a one way sign"),
        ("a unicycle", "a unicycle"),
        ("a urinal", "a urinal"),
        ("a umbrella", "an umbrella"),
        ("a hour", "an hour"),
        ("a x-ray", "an x-ray"),
        ("a banana", "a banana"),
    ],
)
def test_articles(text: str, expected: str) -> None:
    assert with_articles(text) == expected
