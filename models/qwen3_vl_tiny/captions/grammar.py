"""The generator of captions: a seeded grammar over the scenes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import islice
from random import Random
from typing import TYPE_CHECKING

from captions.inflection import plural, with_articles
from captions.notation import Choice, Notation, Voice, words
from captions.scenes import SCENES
from captions.scenes.vocabulary import WORD_LISTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from captions.notation import Template
    from captions.scene import Kind, Scene

    Picture = Callable[[Random], str]

EMBEDDED_SEED = 2017
"""The seed of the committed captions."""

# Set so that lengths, capitals and full stops are distributed as in 512 real COCO 2017 captions.
_SHORTEST, _LONGEST = 7, 22  # words
_SHARE_CAPITAL, _SHARE_FULL_STOP = 0.88, 0.77
_SHARE_ADJECTIVE, _SHARE_AFTER, _SHARE_VIEW = 0.36, 0.17, 0.03
_SHORT_CLAUSE, _SHARE_WHERE_IF_SHORT, _SHARE_WHERE = 8, 0.7, 0.15

_DETERMINERS = Choice([("a", 90), ("the", 6), ("one", 2)])
_STYLES = Choice([("participle", 48), ("progressive", 27), ("present", 15), ("relative", 4), ("existential", 3)])
_VIEWS = Choice(
    (view, 1)
    for view in (
        "a picture of",
        "a black and white photo of",
        "a close up of",
        "this is a photograph of",
        "a view of",
        "an old photo of",
        "a blurry image of",
        "a painting of",
    )
)
_WORD = re.compile(r"[a-z']{3,}")
_REPEATABLE = frozenset(words("and are for from has her his its out that the their two with"))


def generate_captions(count: int, seed: int) -> list[str]:
    """Return `count` different captions; a smaller count gives the first of the same ones."""
    return list(islice(_captions(seed), count))


def _captions(seed: int) -> Iterator[str]:
    rng = Random(seed)  # noqa: S311  (nothing here is secret)
    pictures = _pictures()
    seen = set()
    while True:
        text = _tidy(pictures.draw(rng)(rng))
        if text not in seen and _plausible(text):
            seen.add(text)
            yield _finished(text, rng)


def _tidy(text: str) -> str:
    return with_articles(" ".join(text.split()).replace(" ,", ","))


def _plausible(text: str) -> bool:
    """Tell whether the caption is of a usual length and says no content word twice."""
    if not _SHORTEST <= text.count(" ") + 1 <= _LONGEST:
        return False
    told = [word.removesuffix("s") for word in _WORD.findall(text) if word not in _REPEATABLE]
    return len(told) == len(set(told))


def _finished(text: str, rng: Random) -> str:
    first = text[0].upper() if rng.random() < _SHARE_CAPITAL else text[0]
    full_stop = "." if rng.random() < _SHARE_FULL_STOP else ""
    return first + text[1:] + full_stop


@cache
def _pictures() -> Choice[Picture]:
    notation = Notation(WORD_LISTS)
    return Choice((_picture(scene, notation), scene.weight) for scene in SCENES)


def _picture(scene: Scene, notation: Notation) -> Picture:
    """Return what draws a caption of this scene."""
    if scene.shows:
        show = notation.choice(scene.shows)
        return lambda rng: show(Voice(rng))
    cast = Choice((_Cast(kind, notation), kind.weight) for kind in scene.cast)
    predicates = Choice((_Predicate(text, notation), 1) for text in scene.does)
    where = notation.choice(scene.where)
    return lambda rng: _clause(cast.draw(rng).subject(rng), predicates.draw(rng), where, rng)


@dataclass(frozen=True)
class _Subject:
    text: str
    many: bool
    their: str
    who: str
    definite: bool

    def voice(self, rng: Random, form: str = "ing") -> Voice:
        return Voice(rng, form, self.many, self.their)


class _Cast:
    """A kind of subject, with its words ready to be drawn."""

    def __init__(self, kind: Kind, notation: Notation) -> None:
        self._kind = kind
        self._noun = notation.choice(kind.nouns)
        self._adjective = notation.choice(kind.adjectives)
        self._after = notation.choice(kind.after)
        self._count = notation.choice(kind.counts)
        self._their = notation.choice(kind.their)

    def subject(self, rng: Random) -> _Subject:
        many = rng.random() * 100 < self._kind.percent_many
        their = "their" if many else self._their(Voice(rng))
        voice = Voice(rng, many=many, their=their)
        noun = self._noun(voice)
        if self._kind.fixed:
            return _Subject(noun, many, their, self._kind.who, definite=False)
        determiner = self._count(voice) if many else _DETERMINERS.draw(rng)
        adjective = self._adjective(voice) if rng.random() < _SHARE_ADJECTIVE else ""
        after = self._after(voice) if rng.random() < _SHARE_AFTER else ""
        text = f"{determiner} {adjective} {plural(noun) if many else noun} {after}"
        return _Subject(text, many, their, self._kind.who, definite=determiner == "the")


class _Predicate:
    """What a subject does."""

    def __init__(self, text: str, notation: Notation) -> None:
        self.spell: Template = notation.template(text.removesuffix("+"))
        self.takes_where = text.endswith("+")
        self.has_verb = text.startswith("*")


def _clause(subject: _Subject, predicate: _Predicate, where: Template, rng: Random) -> str:
    style = _STYLES.draw(rng)
    if style == "present" and predicate.has_verb:
        form = "base" if subject.many else "s"
        return f"{subject.text} {_told(subject, predicate, form, where, rng)}"
    does = _told(subject, predicate, "ing", where, rng)
    is_or_are = "are" if subject.many else "is"
    match style:
        case "participle":
            view = _VIEWS.draw(rng) if rng.random() < _SHARE_VIEW and not subject.definite else ""
            return f"{view} {subject.text} {does}"
        case "relative":
            return f"{subject.text} {subject.who} {is_or_are} {does}"
        case "existential" if not subject.definite:
            return f"there {is_or_are} {subject.text} {does}"
        case _:
            return f"{subject.text} {is_or_are} {does}"


def _told(subject: _Subject, predicate: _Predicate, form: str, where: Template, rng: Random) -> str:
    """Return what the subject does, and mostly where if that is soon said."""
    does = predicate.spell(subject.voice(rng, form))
    is_short = len(subject.text.split()) + len(does.split()) < _SHORT_CLAUSE
    if predicate.takes_where and rng.random() < (_SHARE_WHERE_IF_SHORT if is_short else _SHARE_WHERE):
        return f"{does} {where(subject.voice(rng))}"
    return does
