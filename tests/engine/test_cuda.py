"""The engines on a GPU. One command runs this and the kernels' own tests: `nox -s tests -- -m gpu`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from benchmarks.measuring import MOST_MOVED, operands_of, worst_difference
from tests.places import SUITE

from auto_quantize_model import load_suite, run_cases
from auto_quantize_model.engine.machine.operands import rounded, rounded_product

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


def test_rounded_products_are_those_of_the_rounded_operands() -> None:
    rows, weight = (rounded(torch.randn(300, 500, device="cuda"), "tf32") for _ in range(2))
    found = rounded_product(rows, weight, "tf32")
    expected = rows.double() @ weight.double().T
    assert torch.allclose(found.double(), expected, rtol=1e-5, atol=1e-4)
    assert torch.get_float32_matmul_precision() == "highest"


def test_rounded_products_move_scores_by_little() -> None:
    exact, moved = (
        list(
            run_cases(load_suite(SUITE, overrides=[f"autoquant.replay_precision={way}"]).select("tiny"), device="cuda")
        )
        for way in ("exact", "tensor_core")
    )
    assert {operands_of(each) for each in moved} == {"tf32"}
    assert 0 < worst_difference(moved, exact) < MOST_MOVED["tf32"]


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
