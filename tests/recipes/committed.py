"""Committed manifests of the embedded model, by pair and size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.places import TINY

if TYPE_CHECKING:
    from pathlib import Path

WEIGHTS_ONLY = ("wfp4_afp16", "wfp8_afp16", "wint8_afp16")


def manifest_file(pair: str, size: str = "medium") -> Path:
    (file,) = TINY.glob(f"layer-analysis/*/*_{pair}_lm_{size}/*_quant_manifest.json")
    return file


def files(*pairs: str, size: str = "medium") -> list[Path]:
    return [manifest_file(pair, size) for pair in pairs or WEIGHTS_ONLY]
