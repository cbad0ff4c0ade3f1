"""What the scenes of the captions are made of: who is in one, what they do there, and where."""

from __future__ import annotations

from dataclasses import dataclass, replace

from captions.notation import lines, words

_COUNTS = words("two=8 three=4 four=2 five six several=3 some=2 a_few=2 many a_couple_of=4 a_pair_of")


@dataclass(frozen=True)
class Kind:
    """A kind of subject: its nouns, and the words that go with them."""

    nouns: tuple[str, ...]
    adjectives: tuple[str, ...] = ("",)
    after: tuple[str, ...] = ("",)
    counts: tuple[str, ...] = _COUNTS
    their: tuple[str, ...] = ("its",)
    who: str = "that"
    weight: int = 1
    percent_many: int = 20
    fixed: bool = False  # the nouns are whole phrases in the plural, which take no number before them

    def weighing(self, weight: int) -> Kind:
        """Return the same kind with another weight among the kinds of a scene."""
        return replace(self, weight=weight)


@dataclass(frozen=True)
class Scene:
    """One kind of picture; `does` are predicates, of which those that end in `+` may take a `where` behind."""

    weight: int
    cast: tuple[Kind, ...] = ()
    does: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    shows: tuple[str, ...] = ()  # whole captions, for pictures without a subject that does something


_CLOTHED = lines("""
    in <a {shade} {top}|{shade} {top:s}> =4
    wearing <a {hat}|{hat:s}> =2
    in {shade} {bottoms}
    wearing {eyewear}
    with <a {bag}|{bag:s}>
    with {hairstyle} hair
""")


def role(nouns: str, adjectives: str = "young=2 smiling", after: str = "", *, weight: int = 1) -> Kind:
    """Return people who are named for what they do, such as surfers; `after` is what such people wear."""
    return Kind(
        words(nouns),
        words(adjectives),
        lines(after) or _CLOTHED,
        their=words("his=2 her"),
        who="who",
        weight=weight,
    )


def beast(nouns: str, adjectives: str, after: str = "", counts: str = "") -> Kind:
    """Return animals; `counts` are the words for many of them beside numbers, such as `a_herd_of`."""
    return Kind(
        words(nouns),
        words(adjectives),
        after=lines(after) or ("",),
        counts=_COUNTS + words(counts),
        percent_many=35,
    )


def thing(nouns: str, adjectives: str = "", after: str = "", *, weight: int = 1, percent_many: int = 20) -> Kind:
    """Return things: vehicles, dishes, furniture."""
    return Kind(
        words(nouns),
        words(adjectives) or ("",),
        after=lines(after) or ("",),
        counts=_COUNTS + words("a_row_of"),
        weight=weight,
        percent_many=percent_many,
    )


MAN = Kind(
    words("man=9 guy=2 gentleman"),
    words("young=2 older=2 elderly tall=2 smiling middle-aged skinny muscular cheerful"),
    (*_CLOTHED, "with <a |>[gray/long/bushy/] beard<|s> =2", "with <a |>[thin/thick/] mustache<|s>"),
    their=("his",),
    who="who",
    weight=6,
)
WOMAN = Kind(
    words("woman=8 lady=2"),
    words("young=2 older=2 elderly blonde=2 smiling tall pretty slender cheerful"),
    (*_CLOTHED, "in a {shade} {dress}", "with {hairstyle} hair", "wearing [gold/hoop/pearl/] earrings"),
    their=("her",),
    who="who",
    weight=5,
)
BOY = Kind(
    words("boy"),
    words("little=4 young=4 small teenage smiling freckled barefoot"),
    _CLOTHED,
    their=("his",),
    who="who",
    weight=2,
)
GIRL = Kind(
    words("girl"),
    words("little=4 young=4 small teenage smiling freckled giggling"),
    (*_CLOTHED, "in a {shade} {dress}", "with [braids/pigtails/a ponytail]"),
    their=("her",),
    who="who",
    weight=2,
)
CHILD = Kind(
    words("child=4 kid=2"),
    words("small=3 young=3 happy curious"),
    _CLOTHED,
    (*_COUNTS, "a group of", "a bunch of"),
    their=words("his her"),
    who="who",
    weight=2,
    percent_many=35,
)
PERSON = Kind(
    words("person"),
    words("young"),
    _CLOTHED,
    (*_COUNTS, *words("a_group_of=8 a_bunch_of")),
    their=("their",),
    who="who",
    weight=4,
    percent_many=60,
)
PAIR = Kind(
    lines("""
        a man and a woman =4
        a [young/elderly/smiling/middle-aged/] couple =3
        a mother and [child/son/daughter]
        a father and [son/daughter]
        a [man/woman] and a [boy/girl/child]
        a boy and a girl
        two [close/old/good/] friends
        a [brother/boy] and his [little/older/twin] sister
        a [grandmother/grandfather] and a [grandson/granddaughter/toddler]
    """),
    their=("their",),
    who="who",
    weight=2,
    percent_many=100,
    fixed=True,
)
ADULTS = (MAN, WOMAN, PERSON, PAIR)
CHILDREN = (BOY, GIRL, CHILD)
EVERYBODY = (*ADULTS, *CHILDREN)
