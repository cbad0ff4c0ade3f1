from __future__ import annotations

from typing import Any

import pytest
from tests.places import SUITE

from auto_quantize_model import load_suite
from auto_quantize_model.precision.formats import resolve_format
from auto_quantize_model.stored_bits import describe_stored_bits, stored_bits

BY_PAIR = {
    "wfp4_afp4": (4.5, "and a scale per tensor"),
    "wfp4_afp8": (4.5, "and a scale per tensor"),
    "wfp4_afp16": (4.5, "and a scale per tensor"),
    "wmxfp4_afp8": (4.25, ""),
    "wmxfp4_afp16": (4.25, ""),
    "wfp8_afp8": (8.0, "and a scale per tensor"),
    "wfp8_afp16": (8.0, "and a scale per tensor"),
    "wint8_afp8": (8.0, "and a scale per channel"),
    "wint8_afp16": (8.0, "and a scale per channel"),
    "wint8_aint8": (8.0, "and a scale per channel"),
}


def test_every_pair_says_what_its_weights_take() -> None:
    pairs = load_suite(SUITE).pairs
    found = {pair.name: stored_bits(resolve_format(pair.format).resolved) for pair in pairs}
    assert found == {name: BY_PAIR[name] for name in found}
    assert len(found) >= 9


def weights(**cfg: Any) -> dict[str, Any]:
    return {
        "quant_cfg": [{"quantizer_name": "*", "enable": False}, {"quantizer_name": "*weight_quantizer", "cfg": cfg}]
    }


@pytest.mark.parametrize(
    ("cfg", "text"),
    [
        ({"num_bits": 4, "block_sizes": {"-1": 128}}, "4.125"),
        ({"num_bits": 4, "block_sizes": {-1: 128, "type": "static"}}, "4.125"),
        ({"num_bits": [4, 3], "block_sizes": {"-1": 32, "scale_bits": [8, 0]}}, "8.25"),
        ({"num_bits": [2, 1], "block_sizes": {"-1": 32, "scale_bits": [4, 3]}}, "4.25 and a scale per tensor"),
        ({"num_bits": [4, 3], "block_sizes": {"-1": 128, "-2": 128}}, "8.00098"),
        ({"num_bits": 4, "block_sizes": {"-2": 128}}, "4.125"),
        ({"num_bits": 4, "block_sizes": {"-1": None}}, None),
        ({"num_bits": 4, "axis": 0}, "4 and a scale per channel"),
    ],
)
def test_blocks_bring_their_scales(cfg: dict[str, Any], text: str | None) -> None:
    assert describe_stored_bits(weights(**cfg)) == text


def test_what_cannot_be_counted_is_not() -> None:
    assert stored_bits({}) is None
    assert stored_bits({"quant_cfg": [{"quantizer_name": "*weight_quantizer", "enable": False}]}) is None
    two = weights(num_bits=4)["quant_cfg"][1]
    assert stored_bits({"quant_cfg": [two, two]}) is None
    assert stored_bits({"quant_cfg": [{**two, "cfg": [two["cfg"], two["cfg"]]}]}) is None
