"""What may have moved the numbers between two manifests, read from what they say: the most likely cause first."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

from auto_quantize_model.manifest.document import mapping

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from auto_quantize_model.comparison.differences import Difference

CONFIG = "the pair's resolved config"
CHECKPOINT = "the checkpoint"
CAPTIONS = "the captions"
SAMPLES = "the sample counts"
TOKENS = "the tokenization"
OTHERS = "what else was asked for"

_KEYS: dict[str, tuple[str, ...]] = {
    CONFIG: (
        r"quantization\.config_sha256",
        r"case\.pair",
        r"scheme\.name",
        r"quantization\.(format|effective_bits)",
        r"scheme\.quant_formats",
        r"quantization\b.*",
        r"layer_sensitivity\..*\.formats",
    ),
    CHECKPOINT: (r"model\.checkpoint_sha256", r"model\b.*", r"case\.model"),
    CAPTIONS: (r"calibration\.captions_sha256", r"dataset\.(name|captions).*"),
    SAMPLES: (
        r"calibration\.(calibrated|scored)_samples",
        r"case\.size",
        r"scheme\.auto_quantize_score_size",
        r"dataset\.max_calib_samples",
    ),
    "the loss": (r"scheme\.auto_quantize_method",),
    "the batch size": (r"calibration\.batch_size",),
    "the sequence length": (r"dataset\.seq_len",),
    "the padding": (r"dataset\.padding.*",),
    TOKENS: (r"calibration\..*_tokens",),
    "the bit budget": (r"scheme\.auto_quantize_bits",),
    "the layers that it covers": (r"scheme\.coverage.*", r"layer_sensitivity\..*"),
    OTHERS: (r"(case|scheme|dataset|calibration)\b.*",),
    "the ModelOpt version": (r"environment\.modelopt",),
    "the torch version": (r"environment\.torch",),
    "the transformers version": (r"environment\.transformers",),
    "the device": (r"engine\.device", r"environment\.hardware"),
    "the dtype": (r"engine\.dtype", r"engine\.difference_dtype"),
    "the engine": (r"engine\b.*",),
    "the system": (r"environment\b.*",),
}
"""Causes, the most likely first, each with the keys of a manifest that state it, the most telling first."""

_OF_GROUPS = len(_KEYS[CONFIG]) - 1
"""The formats of each group repeat what the sections above say."""
_COUNT_CAPTIONS_TOO = (CHECKPOINT, CAPTIONS, SAMPLES, "the sequence length")
"""Causes that change the numbers of tokens, which then say nothing of their own."""


@dataclasses.dataclass(frozen=True, slots=True)
class Cause:
    """One thing that may have moved the numbers."""

    what: str
    """In words: `the batch size`."""
    differences: tuple[Difference, ...]
    """What the manifests say of it, the most telling first."""

    def __str__(self) -> str:
        """The cause and its foremost difference."""
        return f"{self.what} ({self.differences[0]})"


def causes(differences: Iterable[Difference], old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Cause, ...]:
    """Sort what differs into causes, the most likely first; what only follows from another is not named again."""
    found: dict[str, list[tuple[int, Difference]]] = {}
    for each in differences:
        if each.key not in ("case", "case.id"):
            what, position = _place(each.key)
            found.setdefault(what, []).append((position, each))
    _drop_what_follows(found, old, new)
    in_order = {what: sorted(found[what], key=_position) for what in _KEYS if what in found}
    return tuple(Cause(what, tuple(each for _, each in stated)) for what, stated in in_order.items())


def _place(key: str) -> tuple[str, int]:
    """The cause that a key states, and how telling the key is."""
    for what, patterns in _KEYS.items():
        for position, pattern in enumerate(patterns):
            if re.fullmatch(pattern, key):
                return what, position
    return OTHERS, len(_KEYS[OTHERS])


def _position(stated: tuple[int, Difference]) -> int:
    return stated[0]


def _drop_what_follows(
    found: dict[str, list[tuple[int, Difference]]], old: Mapping[str, Any], new: Mapping[str, Any]
) -> None:
    if _of_one_file(old, new) and _changed(found.get(SAMPLES, ()), "calibration.calibrated_samples"):
        found.pop(CAPTIONS, None)
    if any(what in found for what in _COUNT_CAPTIONS_TOO):
        found.pop(TOKENS, None)
    config = found.get(CONFIG, [])
    found[CONFIG] = [each for each in config if each[0] < _OF_GROUPS] or config
    if not found[CONFIG]:
        del found[CONFIG]


def _changed(stated: Sequence[tuple[int, Difference]], key: str) -> bool:
    return any(each.key == key for _, each in stated)


def _of_one_file(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether both took captions from one file, or from one file a size: then other captions are only more or fewer."""
    return _source(old) == _source(new)


def _source(manifest: Mapping[str, Any]) -> tuple[object, str]:
    dataset, size = mapping(manifest, "dataset"), mapping(manifest, "case").get("size")
    captions = str(dataset.get("captions"))
    return dataset.get("name"), captions.replace(str(size), "{size}") if size else captions
