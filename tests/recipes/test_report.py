"""The page of a recipe, word by word, where the numbers are known by construction."""

# ruff: noqa: E501  the page's own lines

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
from tests.recipes.test_open_groups import alike, two_groups

from auto_quantize_model.recipes.proof import Compared, Proof
from auto_quantize_model.recipes.report import render_recipe, verdict

if TYPE_CHECKING:
    from auto_quantize_model import Recipe

PAGE = """\
# qwen3_vl_tiny within 6 bits

Measured KL 0.5 nats per token, predicted 0.501.

![The pair of each group by layer, how sure each choice is, and what the recipe costs beside each pair alone](recipe.svg)

|||
| :--- | :--- |
|Effective bits of the scored weights|6|
|Whole checkpoint, scales of blocks and unquantized parts (at 16 bits) counted|1.5e-07 GB|
|Predicted KL, nats per token|0.501 (0.5 to 0.502)|
|The same with what errors do to each other (noisier)|0.501 (0.5 to 0.502)|
|No other choice is predicted better by more than|0 (proved)|
|Chosen from|`low`, `high`, `none`|
|Pinned|`c=high`|

## Measured

On 4 captions that neither scored nor calibrated (40 tokens): KL 0.5 (0.4 to 0.6) nats per token, loss +0.02, the first \
choice stays for 99.0% of the tokens.

||Bits|Measured KL|Times this recipe's|
| :--- | :--- | :--- | :--- |
|this recipe|6|0.5|1|
|`low` alone|4|0.75|1.5 (1.2 to 1.8)|
|another choice|6|0.25|0.5 (0.4 to 0.6)|

## Use it

```python
import modelopt.torch.quantization as mtq
from auto_quantize_model import read_quant_cfg

mtq.quantize(model, read_quant_cfg("quant_cfg.json"), forward_loop)
```

## What other budgets buy

|Bits|GB|Predicted KL|Groups|
| :--- | :--- | :--- | :--- |
|4.000|1e-07|1.004 (1 to 1.01)|2 `low`|
|6.000 (knee)|1.5e-07|0.501 (0.5 to 0.502)|1 `low`, 1 `high`|
|8.000|2e-07|0 (0 to 0)|2 `high`|

3 of the 3 recipes in `pareto.json`.

## How sure the choice is

Of 128 captions drawn anew a thousand times, 0 of 2 groups get the same pair in 95% of the draws; 95% of the draws \
choose within 0.0% of their best.

The others are open. How many captions like these would settle each is a rough guess. The captions that decide carry \
most of what this recipe and the best one with the other pair differ by: one that stands out is worth a look. Most often \
it is 37 (2 groups).

|Group|Chosen|Captions that would settle it|Captions that decide|
| :--- | :--- | :--- | :--- |
|a|`high` in 64%, `low` in 36%|more than 16 times as many|37 "caption 37 of two \\| cats on a long, long..." (95%, for `high`)|
|b|`low` in 64%, `high` in 36%|more than 16 times as many|37 "caption 37 of two \\| cats on a long, long..." (95%, for `low`)|

## Every group

|Group|Pair|Predicted KL|Chosen in|
| :--- | :--- | :--- | :--- |
|a|high|0.000e+00|64%|
|b|low|5.010e-01|64%|
"""


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    """One caption alone makes the choice."""
    first, second = 5.0 + 0.05 * alike(1), 5.01 - 0.05 * alike(2)
    first[36] += 4.0
    texts = tuple(f"caption {number} of two | cats on  a\nlong, long bench" for number in range(1, 129))
    return dataclasses.replace(two_groups(first, second), caption_texts=texts, pins=("c=high",))


def proof(kl: float, *compared: Compared) -> Proof:
    captions = {"file": "x.txt", "samples": 4, "loss_tokens": 40, "sha256": "a" * 64}
    measured = {"kl": kl, "kl_ci95": [0.4, 0.6], "loss_change": 0.02, "top1_agreement": 0.99, "captions": captions}
    return Proof(measured, compared)


def test_the_whole_page(recipe: Recipe) -> None:
    low = Compared("low", 4.0, 0.75, 1.5, (1.2, 1.8), is_pair=True)
    other = Compared("another choice", 6.0, 0.25, 0.5, (0.4, 0.6), is_pair=False)
    assert render_recipe(recipe, proof(0.5, low, other)) == PAGE


@pytest.mark.parametrize(
    ("kl", "said"),
    [
        (0.4, "Measured KL 0.4 nats per token, predicted 0.501. The prediction is off by more than 20%: trust"),
        (0.7, "Measured KL 0.7 nats per token, predicted 0.501. The prediction is off by more than 20%: trust"),
        (0.55, "Measured KL 0.55 nats per token, predicted 0.501."),
        (0.46, "Measured KL 0.46 nats per token, predicted 0.501."),
        (0.0, "Measured KL 0 nats per token, predicted 0.501."),
    ],
)
def test_a_prediction_that_is_far_off_is_called_so(recipe: Recipe, kl: float, said: str) -> None:
    line = verdict(recipe, proof(kl))
    assert line.startswith(said)
    assert ("trust" in line) == ("trust" in said)


def test_only_a_pair_with_no_more_bits_that_is_better_beyond_doubt_beats_a_recipe(recipe: Recipe) -> None:
    beaten = [
        Compared(f"{ratio:g} at {bits:g}", bits, ratio, ratio, (ratio / 2, ratio * 1.1), is_pair=is_pair)
        for ratio, bits, is_pair in ((0.5, 6.0, True), (0.4, 6.1, True), (0.3, 5.0, False), (0.95, 4.0, True))
    ]
    assert verdict(recipe, proof(1.0, *beaten)) == (
        "**Do not use this recipe:** `0.5 at 6` alone has a measured KL of 0.5 at 6 bits, the recipe 1 at 6."
    )
    better = Compared("better", 5.5, 0.45, 0.45, (0.4, 0.5), is_pair=True)
    assert "`better` alone" in verdict(recipe, proof(1.0, *beaten, better))


def test_a_short_caption_is_quoted_whole_and_only_so_many_open_groups_are_listed(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auto_quantize_model.recipes.report.MOST_UNSETTLED", 1)
    page = render_recipe(dataclasses.replace(recipe, caption_texts=("two  cats",) * 128), None)
    (row,) = (line for line in page.splitlines() if line.startswith("|a|`high`"))
    assert row.endswith('|37 "two cats" (95%, for `high`)|')
    assert not any(line.startswith("|b|`low`") for line in page.splitlines())
    assert "\nAnd 1 more, in `recipe.json`.\n" in page
