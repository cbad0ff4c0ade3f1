"""Picking calibration captions from the user's own COCO annotations, the same ones on any machine."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from auto_quantize_model.captions.reading import nearest_file
from auto_quantize_model.errors import InputError, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TYPES: dict[str, tuple[type, ...]] = {"id": (int,), "image_id": (int, str), "caption": (str,)}


def pick_captions(path: Path, count: int, seed: int) -> list[str]:
    """Return `count` different captions of a `captions_*.json`, one an image, in an order that the seed decides.

    An image's caption is the one with the lowest annotation id, so the order of the file does not matter.
    """
    captions = list(dict.fromkeys(_ordered(_one_an_image(path), seed)))
    if len(captions) < count:
        raise InputError(
            f"{path}: {len(captions)} usable captions (one an image, not empty, no duplicates), "
            f"but {count} are needed; take a larger annotation file"
        )
    return captions[:count]


def _ordered(captions: dict[int | str, str], seed: int) -> Iterator[str]:
    for image in sorted(captions, key=lambda image: hashlib.sha256(f"{seed}:{image}".encode()).digest()):
        caption = " ".join(captions[image].split())
        if caption:
            yield caption


def _one_an_image(path: Path) -> dict[int | str, str]:
    lowest: dict[int | str, tuple[int, str]] = {}
    for index, annotation in enumerate(_annotations(path)):
        number, image, caption = _fields(path, index, annotation)
        lowest_yet = lowest.setdefault(image, (number, caption))
        lowest[image] = min(lowest_yet, (number, caption))
    return {image: caption for image, (_, caption) in lowest.items()}


def _fields(path: Path, index: int, annotation: object) -> tuple[int, int | str, str]:
    """Return an annotation's id, image and caption."""
    values: dict[str, Any] = annotation if isinstance(annotation, dict) else {}
    for key, types in _TYPES.items():
        if not isinstance(values.get(key), types):
            raise InputError(
                f"{path}: annotations[{index}] has no usable '{key}'; "
                "each needs id, image_id and caption, as those of captions_*.json (not instances_*.json) do"
            )
    return values["id"], values["image_id"], _encodable(path, index, values["caption"])


def _encodable(path: Path, index: int, caption: str) -> str:
    try:
        caption.encode()
    except UnicodeEncodeError:  # JSON may escape half a surrogate pair
        raise InputError(f"{path}: annotations[{index}]: the caption is not valid Unicode text") from None
    return caption


def _annotations(path: Path) -> list[object]:
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; {nearest_file(path, '.json')}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not JSON: byte offset {error.start} is not valid Unicode") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, lists in lists in lists
        raise InputError(f"{path}: no COCO annotations: {one_line(error, 100)}") from None
    annotations = document.get("annotations") if isinstance(document, dict) else None
    if not isinstance(annotations, list):
        raise InputError(f"{path}: no 'annotations' list; give one of COCO's captions_*.json files")
    return annotations
