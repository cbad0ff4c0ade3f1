"""English word forms: plurals, present tense, present participles and the indefinite article."""

from __future__ import annotations

import re

_IRREGULAR_PLURALS = {
    "bookshelf": "bookshelves",
    "buffalo": "buffalo",
    "calf": "calves",
    "child": "children",
    "deer": "deer",
    "elk": "elk",
    "fish": "fish",
    "foot": "feet",
    "goose": "geese",
    "knife": "knives",
    "leaf": "leaves",
    "loaf": "loaves",
    "moose": "moose",
    "mouse": "mice",
    "ox": "oxen",
    "person": "people",
    "potato": "potatoes",
    "scarf": "scarves",
    "sheep": "sheep",
    "shelf": "shelves",
    "tomato": "tomatoes",
    "wolf": "wolves",
}
_HISSING = ("s", "x", "z", "ch", "sh")
_CONSONANT_Y = re.compile(r"[^aeiou]y$")
_DOUBLES_LAST = re.compile(r"(?:[^aeiou]|qu)*[aeiou][^aeiouwxy]")
# The noun that a plural changes stands before these words: "glasses of wine".
_AFTER_HEAD = re.compile(r"(.*?)( (?:of|with|in|on) .*)?")
_ARTICLE = re.compile(r"\ba (?=([\w-]+))", re.IGNORECASE)
_SPOKEN_LIKE_YOU_OR_WON = ("eu", "one", "uku", "uni", "uri", "use", "usu", "uten")
_SPOKEN_WITH_A_VOWEL = ("heir", "honest", "hour", "x-ray")


def plural(noun: str) -> str:
    """Return a noun or noun phrase in the plural."""
    match = _AFTER_HEAD.fullmatch(noun)
    if match is None:
        raise ValueError(f"not a noun phrase: {noun!r}")
    before, gap, head = match[1].rpartition(" ")
    return before + gap + _plural_word(head) + (match[2] or "")


def _plural_word(noun: str) -> str:
    if noun in _IRREGULAR_PLURALS:
        return _IRREGULAR_PLURALS[noun]
    if noun.endswith("man"):
        return noun[:-2] + "en"
    return with_s(noun)


def with_s(word: str) -> str:
    """Return a verb in the third person, or a regular noun in the plural."""
    if word == "have":
        return "has"
    if word.endswith(_HISSING) or word in {"do", "go"}:
        return word + "es"
    return word[:-1] + "ies" if _CONSONANT_Y.search(word) else word + "s"


def with_ing(verb: str) -> str:
    """Return a verb's present participle."""
    if verb.endswith("ie"):
        return verb[:-2] + "ying"
    if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")):
        return verb[:-1] + "ing"
    return verb + (verb[-1] if _DOUBLES_LAST.fullmatch(verb) else "") + "ing"


def with_articles(text: str) -> str:
    """Return the text with every `a` before a vowel sound spelled `an`."""
    return _ARTICLE.sub(lambda match: match[0][0] + ("n " if _vowel_sound(match[1].lower()) else " "), text)


def _vowel_sound(word: str) -> bool:
    if word.startswith(_SPOKEN_WITH_A_VOWEL):
        return True
    return word[0] in "aeiou" and not word.startswith(_SPOKEN_LIKE_YOU_OR_WON)
