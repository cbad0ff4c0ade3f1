"""The engines on a GPU. One command runs this and the kernels' own tests: `nox -s tests -- -m gpu`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from tests.places import SUITE

from auto_quantize_model import load_suite, run_cases

if TYPE_CHECKING:
    from auto_quantize_model import Case

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU"),
]

SMALL = load_suite(SUITE).select("tiny and small")


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.pair.name)
def test_replay_equals_modelopt_on_the_gpu(case: Case) -> None:
    (mine,) = run_cases([case], engine="replay", device="cuda")
    (theirs,) = run_cases([case], engine="modelopt", device="cuda")
    assert mine.error is None
    assert theirs.error is None
    assert mine.scores is not None
    assert theirs.scores is not None
    for a, b in zip(mine.scores.groups, theirs.scores.groups, strict=True):
        assert a.score == pytest.approx(b.score, rel=1e-4), a.group.name


@pytest.mark.parametrize("pair", ["wfp4_afp16", "wmxfp4_afp16", "wfp8_afp16", "wint8_afp16"])
def test_the_gpu_gives_the_scores_of_the_cpu(pair: str) -> None:
    cases = load_suite(SUITE).select(f"tiny and {pair} and medium")
    (gpu,) = run_cases(cases, device="cuda")
    (cpu,) = run_cases(cases, device="cpu")
    assert gpu.manifest is not None
    assert gpu.manifest["engine"]["kernels"]["weight"].startswith("modelopt")
    assert gpu.scores is not None
    assert cpu.scores is not None
    for a, b in zip(gpu.scores.groups, cpu.scores.groups, strict=True):
        assert a.score == pytest.approx(b.score, rel=1e-2), a.group.name
