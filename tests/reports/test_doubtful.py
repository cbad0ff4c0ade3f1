from __future__ import annotations

from typing import Any

import pytest

from auto_quantize_model.reports import doubtful


def row(layer: str, predicted: float | None = 0.01, **values: Any) -> dict[str, Any]:
    return {"layer": layer, "predicted_kl": predicted, "predicted_kl_ci95": [0.008, 0.015], **values}


def text_of(*rows: dict[str, Any]) -> str:
    return "\n".join(doubtful.lines(rows))


@pytest.mark.parametrize("measured", [None, 0.0068, 0.01, 0.0149])
def test_what_was_found_good_has_no_section(measured: float | None) -> None:
    assert text_of(row("a", measured_kl=measured), row("head", None, predicted_kl_ci95=None)) == ""


def test_what_was_measured_otherwise_is_named_with_how_far() -> None:
    text = text_of(row("low", measured_kl=0.0066), row("good", measured_kl=0.01), row("high", measured_kl=0.0151))
    assert "## Predictions to doubt" in text
    assert "`low` (0.66 times what was predicted), `high` (1.51 times what was predicted)." in text
    assert "good" not in text
    assert "more than what was predicted" in text_of(row("zero", 0.0, measured_kl=0.1, predicted_kl_ci95=None))


def test_wide_intervals_are_counted_and_ten_named() -> None:
    wide = [row(f"layer{index}", predicted_kl_ci95=[0.005, 0.0101]) for index in range(12)]
    text = text_of(row("narrow"), *wide, row("down to zero", predicted_kl_ci95=[0.0, 0.02]))
    assert "13 of 14 predictions have a 95 % interval wider than a factor of two: `layer0`, " in text
    assert "`layer9` and 3 more. More captions" in text


def test_what_is_beyond_second_order_is_named() -> None:
    text = text_of(row("large", 0.11, predicted_kl_ci95=[0.1, 0.12]), row("small", 0.1, predicted_kl_ci95=None))
    assert "Above 0.1 nats a token for one group, which second order cannot tell: `large`." in text
