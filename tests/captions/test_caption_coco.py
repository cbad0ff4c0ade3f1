from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auto_quantize_model.captions.coco import pick_captions
from auto_quantize_model.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

Annotation = dict[str, Any]


def coco(images: int) -> list[Annotation]:
    return [
        {"id": 10 * image + rank, "image_id": image, "caption": f"caption {rank} of image {image}"}
        for image in range(images)
        for rank in range(3)
    ]


def written(path: Path, found: object) -> Path:
    path.write_text(json.dumps(found), encoding="utf-8")
    return path


def message(path: Path, count: int = 1) -> str:
    with pytest.raises(InputError) as caught:
        pick_captions(path, count, seed=1)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_one_caption_an_image_in_the_order_of_the_hashes(tmp_path: Path) -> None:
    path = written(tmp_path / "captions.json", {"images": [], "annotations": coco(20)})
    order = sorted(range(20), key=lambda image: sha256(f"7:{image}".encode()).hexdigest())
    assert pick_captions(path, 12, seed=7) == [f"caption 0 of image {image}" for image in order[:12]]


@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_the_annotations_does_not_matter(tmp_path_factory: pytest.TempPathFactory, rng: Random) -> None:
    path = tmp_path_factory.getbasetemp() / "captions.json"
    found = coco(10)
    first = pick_captions(written(path, {"annotations": found}), 10, seed=2017)
    rng.shuffle(found)
    assert pick_captions(written(path, {"annotations": found}), 10, seed=2017) == first


def test_blanks_are_collapsed_and_empty_and_double_captions_dropped(tmp_path: Path) -> None:
    texts = [" a  dog\n on grass ", "\t", "a dog on grass", "a cat"]
    found = [{"id": number, "image_id": number, "caption": text} for number, text in enumerate(texts)]
    path = written(tmp_path / "captions.json", {"annotations": found})
    assert sorted(pick_captions(path, 2, seed=1)) == ["a cat", "a dog on grass"]
    assert message(path, count=3) == (
        f"{path}: 2 usable captions (one an image, not empty, no duplicates), but 3 are needed; "
        "take a larger annotation file"
    )


def test_missing_file(tmp_path: Path) -> None:
    written(tmp_path / "captions_val2017.json", {})
    assert message(tmp_path / "captions_val2107.json").endswith("no such file; did you mean 'captions_val2017.json'?")


def test_folder(tmp_path: Path) -> None:
    assert message(tmp_path) == f"{tmp_path}: cannot be read: Is a directory"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"annotations": [\n 1,]}', "at line 2, column"),
        (b'{"annotations": "\xff\xfe\xff"}', "byte offset 17 is not valid Unicode"),
    ],
)
def test_not_json(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "captions.json"
    path.write_bytes(content)
    assert message(path).startswith(f"{path}: not JSON: ")
    assert reason in message(path)


@pytest.mark.parametrize("document", [{}, [], {"annotations": {}}, None, "annotations"])
def test_no_annotations(tmp_path: Path, document: object) -> None:
    path = written(tmp_path / "captions.json", document)
    assert message(path) == f"{path}: no 'annotations' list; give one of COCO's captions_*.json files"


@pytest.mark.parametrize(
    ("annotation", "key"),
    [
        ({"id": 1, "image_id": 1}, "caption"),
        ({"id": 1, "image_id": 1, "caption": None}, "caption"),
        ({"id": "1", "image_id": 1, "caption": "a dog"}, "id"),
        ({"id": 1, "caption": "a dog"}, "image_id"),
        ("a dog", "id"),
    ],
)
def test_incomplete_annotation(tmp_path: Path, annotation: object, key: str) -> None:
    found = [{"id": 1, "image_id": 1, "caption": "a dog"}, annotation]
    path = written(tmp_path / "captions.json", {"annotations": found})
    assert message(path).startswith(f"{path}: annotations[1] has no usable '{key}'; ")


def test_half_a_surrogate_pair(tmp_path: Path) -> None:
    path = written(tmp_path / "captions.json", {"annotations": [{"id": 1, "image_id": 1, "caption": "\ud800"}]})
    assert message(path) == f"{path}: annotations[0]: the caption is not valid Unicode text"
