from __future__ import annotations

import functools

import numpy as np
import pytest
from scipy.stats import spearmanr
from tests.engine.plain_kl import measure_kl
from tests.places import SUITE

from auto_quantize_model import load_suite, run_cases

TINY_ONLY = "suite.models=[qwen3_vl_tiny]"


@functools.cache
def predicted(batch_size: int, size: str) -> dict[tuple[str, str], float]:
    suite = load_suite(SUITE, overrides=[TINY_ONLY, f"autoquant.batch_size={batch_size}"])
    found = {}
    for result in run_cases(suite.select(f"afp16 and {size}"), device="cpu"):
        assert result.manifest is not None
        for name, entry in result.manifest["layer_sensitivity"].items():
            if entry["status"] == "scored":
                found[result.case.id, name] = entry["predicted_kl"]
    return found


@pytest.mark.parametrize(("batch_size", "size"), [(1, "small"), (32, "small"), (32, "medium")])
def test_predicted_kl_does_not_depend_on_the_batch_size(batch_size: int, size: str) -> None:
    usual, other = predicted(8, size), predicted(batch_size, size)
    assert len(usual) == 4 * 32
    assert other == pytest.approx(usual, rel=1e-3)


@pytest.mark.parametrize("pair", ["wint8_afp16", "wfp4_afp16", "wfp8_afp8"])
def test_predicted_kl_is_the_measured_one(pair: str) -> None:
    """Really quantize each group alone, and all of them, and measure what that does to the predictions."""
    (case,) = load_suite(SUITE, overrides=[TINY_ONLY, "autoquant.probes=16"]).select(f"{pair} and small")
    (result,) = run_cases([case], device="cpu")
    assert result.scores is not None
    assert result.manifest is not None
    groups = [score.group.members for score in result.scores.groups]
    *alone, whole = measure_kl(case, [*([each] for each in groups), groups])
    expected = [score.predicted_kl for score in result.scores.groups if score.predicted_kl is not None]
    assert spearmanr(expected, alone).statistic > 0.98
    ratios = np.divide(alone, expected)
    assert np.median(ratios) == pytest.approx(1, abs=0.1)
    assert np.quantile(ratios, 0.05) > 0.8
    assert np.quantile(ratios, 0.95) < 1.25
    total = result.manifest["predicted_kl"]
    assert total["sum"] == pytest.approx(sum(expected))
    assert total["whole"] == pytest.approx(whole, rel=0.2)
    assert total["whole_ci95"][0] < whole < total["whole_ci95"][1]
