"""A measured KL is guarded tightly on one machine, and elsewhere by what its captions leave open."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from tests.comparison.test_compare import TOLERANCES
from tests.manifests import measured

from auto_quantize_model.comparison.compare import compare
from auto_quantize_model.comparison.measured_kl import agree

if TYPE_CHECKING:
    from collections.abc import Mapping


def kl(value: float, half: float | None) -> Mapping[str, Any]:
    return {"kl": value, "kl_ci95": None if half is None else [value * (1 - half), value * (1 + half)]}


@pytest.mark.parametrize(
    ("old", "new", "elsewhere", "agreed"),
    [
        (kl(1.0, 0.2), kl(1.019, 0.2), False, True),
        (kl(1.0, 0.2), kl(1.07, 0.2), False, False),
        # As two processors measured 16 captions with inputs in FP8.
        (kl(1.0, 0.170), kl(1.0706, 0.170), True, True),
        (kl(1.0, 0.097), kl(1.0704, 0.097), True, True),
        (kl(1.0, 0.05), kl(1.07, 0.2), True, False),
        (kl(1.0, 0.2), kl(1.07, 0.05), True, False),
        (kl(1.0, None), kl(1.07, 0.2), True, False),
        (kl(1.0, None), kl(1.01, None), True, True),
    ],
)
def test_elsewhere_each_may_lie_anywhere_in_the_others_interval(
    old: Mapping[str, Any], new: Mapping[str, Any], elsewhere: bool, agreed: bool
) -> None:
    for one, other in ((old, new), (new, old)):
        intervals = one["kl_ci95"], other["kl_ci95"]
        assert agree(one["kl"], other["kl"], intervals, 0.01, elsewhere=elsewhere) is agreed


@pytest.mark.parametrize("nonsense", [["a", 1], [1.0], {}, "ab", [None, 1.0], None])
def test_what_is_no_interval_holds_nothing(nonsense: Any) -> None:
    assert not agree(1.0, 1.07, ([0.8, 1.2], nonsense), 0.01, elsewhere=True)
    assert not agree(1.0, 1.07, (nonsense, [0.8, 1.2]), 0.01, elsewhere=True)


def test_another_processor_is_elsewhere(manifest: dict[str, Any]) -> None:
    old, new = (measured(copy.deepcopy(manifest), value) for value in (0.01, 0.0107))
    assert compare(old, new, TOLERANCES).verdict == "drift"
    new["environment"]["hardware"] = "another processor"
    assert compare(old, new, TOLERANCES).verdict == "within_noise"
    far = measured(copy.deepcopy(new), 0.013)
    comparison = compare(old, far, TOLERANCES)
    assert comparison.verdict == "drift"
    assert {change.measure for change in comparison.moved} == {"measured_kl"}
