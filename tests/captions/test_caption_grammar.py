from __future__ import annotations

import re
from pathlib import Path

import pytest
from captions.command import DATA, EMBEDDED_STEM
from captions.comparison import caption_statistics
from captions.grammar import EMBEDDED_SEED, generate_captions
from captions.scenes.vocabulary import WORD_LISTS
from hypothesis import given, settings
from hypothesis import strategies as st

from auto_quantize_model.captions.nested import SIZE_CAPTIONS
from auto_quantize_model.captions.samples import captions_sha256

SOUNDS_LIKE_A_VOWEL = {"x"}  # an x-ray
SOUNDS_LIKE_A_CONSONANT = {"one", "unicycle", "university", "uniform", "uniformed", "urinal"}


def _vowel_sound(word: str) -> bool:
    return word in SOUNDS_LIKE_A_VOWEL or (word[0] in "aeiou" and word not in SOUNDS_LIKE_A_CONSONANT)


@pytest.fixture(scope="module")
def captions() -> list[str]:
    return generate_captions(5000, seed=1)


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(0, 60), st.integers())
def test_fewer_captions_are_a_prefix(count: int, more: int, seed: int) -> None:
    few, many = generate_captions(count, seed), generate_captions(count + more, seed)
    assert len(few) == count
    assert many[:count] == few


def test_another_seed_gives_other_captions() -> None:
    assert generate_captions(20, seed=1) != generate_captions(20, seed=2)


def test_captions_depend_on_nothing_but_the_seed() -> None:
    # Pinned, so that another Python version or platform cannot quietly give other captions.
    assert captions_sha256(generate_captions(512, EMBEDDED_SEED)) == (
        "273c865e582e254c346c7162bd93085c67b8d195efad4b52e1e90c4218701ac5"
    )


def test_sixty_thousand_different_captions() -> None:
    captions = generate_captions(60_000, seed=3)
    assert len({caption.lower().rstrip(".") for caption in captions}) == 60_000


def test_looks_like_coco() -> None:
    statistics = caption_statistics(generate_captions(512, EMBEDDED_SEED))
    assert 10 < statistics.mean_length < 11
    assert (statistics.shortest, statistics.longest) >= (7, 7)
    assert statistics.longest <= 22
    assert len(statistics.vocabulary) >= 850
    assert statistics.repeated_share < 0.05


def test_no_notation_is_left(captions: list[str]) -> None:
    wrong = [caption for caption in captions if not re.fullmatch(r"[A-Za-z][A-Za-z',\- ]*[a-z]\.?", caption)]
    assert not wrong
    assert not [caption for caption in captions if "  " in caption or " ," in caption]


def test_articles_fit_the_next_word(captions: list[str]) -> None:
    wrong = [
        found[0]
        for caption in captions
        for found in re.finditer(r"\b(an?) ([a-z]+)", caption.lower())
        if (found[1] == "an") != _vowel_sound(found[2])
    ]
    assert not wrong


def test_numbers_agree(captions: list[str]) -> None:
    numbers = "two|three|four|five|six|several|many|some|a few|a couple of"
    assert not [
        caption for caption in captions if re.search(rf"^({numbers}) (\w+s|\w*men|people) is\b", caption, re.IGNORECASE)
    ]
    assert not [
        caption for caption in captions if re.search(r"^(a|one) (?!couple|family)\w+ are\b", caption, re.IGNORECASE)
    ]
    assert not [
        caption
        for caption in captions
        if re.search(r"^there (is (two|three|several)|are an? \w+ing)\b", caption, re.IGNORECASE)
    ]


def test_no_content_word_is_said_twice(captions: list[str]) -> None:
    for caption in captions:
        content = re.findall(r"[a-z]{6,}", caption.lower())
        assert len(content) == len(set(content)), caption


def test_every_word_list_is_used() -> None:
    scenes = Path(generate_captions.__code__.co_filename).parent
    source = "".join(file.read_text(encoding="utf-8") for file in scenes.rglob("*.py"))
    assert not [name for name in WORD_LISTS if f"{{{name}}}" not in source and f"{{{name}:s}}" not in source]


@pytest.mark.parametrize("size", SIZE_CAPTIONS)
def test_committed_files_are_what_the_generator_gives(size: str) -> None:
    captions = generate_captions(SIZE_CAPTIONS[size], EMBEDDED_SEED)
    committed = (DATA / f"{EMBEDDED_STEM}_{size}.txt").read_bytes()
    assert committed == ("\n".join(captions) + "\n").encode()
