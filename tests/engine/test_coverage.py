"""Do the intervals cover: captions resampled from 512 scored ones, whose own mean is the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.places import SUITE

from auto_quantize_model import load_suite, run_cases
from auto_quantize_model.statistics.bootstrap import estimate, sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from auto_quantize_model.scores import CaseScores

    Floats = NDArray[np.float64]

REPEATS = 150


@pytest.fixture(scope="module")
def populations() -> dict[str, CaseScores]:
    suite = load_suite(SUITE, overrides=["autoquant.score_size=512"])
    results = list(run_cases(suite.select("tiny and large"), device="cpu"))
    return {result.case.pair.name: result.scores for result in results if result.scores is not None}


@pytest.mark.parametrize("captions", [16, 64, 128])
def test_95_percent_intervals_cover_the_large_sample_value(populations: dict[str, CaseScores], captions: int) -> None:
    assert len(populations) == 10
    samples, kl, tokens = [], [], []
    for scores in populations.values():
        samples.append(np.stack([each.sample_scores for each in scores.groups if each.sample_scores is not None]))
        kl.append(np.stack([each.sample_kl for each in scores.groups if each.sample_kl is not None]))
        assert samples[-1].shape == kl[-1].shape == (32, 512)
        tokens.append(scores.sample_tokens.astype(np.float64))
        assert (tokens[-1] == tokens[0]).all()
    shares = {"score": coverage(samples, None, captions), "predicted_kl": coverage(kl, tokens[0], captions)}
    found = {
        f"{pair} {kind}": share for kind, each in shares.items() for pair, share in zip(populations, each, strict=True)
    }
    report = "\n".join(f"{name}, {captions} captions: {share:.3f}" for name, share in found.items())
    print(report)  # noqa: T201  the measured coverage is what the reader of a failure, or of `-s`, wants
    assert all(0.90 <= share <= 0.99 for share in found.values()), report


def coverage(populations: list[Floats], tokens: Floats | None, captions: int) -> Floats:
    """How often the interval of so many captions holds the value of all 512, over repeats and a population's groups.

    All populations see the same draws, so that one call estimates all their groups.
    """
    random = np.random.default_rng(7)
    population = np.concatenate(populations)
    everyone = population.shape[1]
    per = tokens if tokens is not None else np.ones(everyone)
    truth = sums(population) / per.sum()
    covered = []
    for _ in range(REPEATS):
        drawn = random.integers(0, everyone, captions)
        interval = estimate(population[:, drawn], None if tokens is None else tokens[drawn])
        inside = (interval.low <= truth * per[drawn].sum()) & (truth * per[drawn].sum() <= interval.high)
        covered.append(inside.reshape(len(populations), -1).mean(axis=1))
    share: Floats = np.mean(covered, axis=0)
    return share
