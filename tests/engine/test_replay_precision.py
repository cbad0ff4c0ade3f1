"""Products whose operands are rounded: how far they move a score, what they share, and when they are chosen."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from benchmarks.measuring import MOST_MOVED, ProductCounter
from tests.places import SUITE

from auto_quantize_model import CaseResult, load_suite, run_cases
from auto_quantize_model.engine import preparation
from auto_quantize_model.engine.machine import operands
from auto_quantize_model.engine.machine.operands import choose_operands, rounded, rounded_product
from auto_quantize_model.engine.replay import rounded_work
from auto_quantize_model.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from auto_quantize_model import Case, Suite
    from auto_quantize_model.engine.machine.operands import Operands

ROUNDS = "autoquant.replay_precision=tensor_core"
MEASURES = ("importance", "predicted_kl", "weights", "activations")
BITS = {"tf32": 13, "bfloat16": 16}
"""How many of float32's last bits the rounded numbers have not."""
MOST_IN_NATS = {"tf32": 1e-3, "bfloat16": 1e-2}
"""What a predicted KL moves at most, whose terms have signs: measured 4.4e-4 and 5.2e-3."""
MOST_ON_AVERAGE = 1e-4
"""What all of a kind move together, with their signs: measured 4e-5. TF32 with digits cut off lowers all by 1e-3."""


@pytest.fixture(scope="module")
def exact(suite: Suite) -> dict[tuple[str, str, str], float]:
    return numbers(run_cases(suite.select("tiny"), device="cpu"))


def numbers(results: Iterator[CaseResult]) -> dict[tuple[str, str, str], float]:
    """Everything that a product comes to, by case, group and measure."""
    found: dict[tuple[str, str, str], float] = {}
    for result in results:
        assert result.manifest is not None, result.error
        for name, entry in result.manifest["layer_sensitivity"].items():
            if entry["status"] == "scored":
                values = {**entry, **(entry["split"] or {})}
                found |= {(result.case.id, name, key): values[key] for key in MEASURES if key in values}
    return found


def rounded_cases(expression: str) -> Sequence[Case]:
    return load_suite(SUITE, overrides=[ROUNDS]).select(expression)


@pytest.mark.parametrize(
    ("which", "in_hardware"),
    [("tf32", False), ("bfloat16", False), ("bfloat16", True)],
    ids=["tf32", "bfloat16", "bfloat16 as this processor multiplies it"],
)
def test_rounding_moves_every_score_of_every_pair_by_little(
    which: Operands, in_hardware: bool, exact: dict[tuple[str, str, str], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "choose_operands", lambda *_: which)
    if not in_hardware:
        monkeypatch.setattr(operands, "has_fast_products", lambda _: False)
    found = numbers(run_cases(rounded_cases("tiny"), device="cpu"))
    assert found.keys() == exact.keys()
    for measure in MEASURES:
        pairs = [(found[key], value) for key, value in exact.items() if key[2] == measure]
        moved = np.array([(new - old) / old for new, old in pairs])
        assert len(moved) >= 500
        assert np.abs(moved).max() < (MOST_IN_NATS if measure == "predicted_kl" else MOST_MOVED)[which], measure
        assert abs(moved.mean()) < MOST_ON_AVERAGE, measure
        # Otherwise nothing was rounded.
        assert np.abs(moved).max() > 1e-5, measure


def test_without_rounding_the_differences_are_those_of_the_products(
    exact: dict[tuple[str, str, str], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "choose_operands", lambda *_: "tf32")
    monkeypatch.setattr(rounded_work, "rounded", lambda values, _: values)
    found = numbers(run_cases(rounded_cases("tiny and small"), device="cpu"))
    assert found == {key: pytest.approx(exact[key], rel=5e-5) for key in found}


def test_no_product_of_what_is_not_quantized_is_worked_out(llama_suite: Callable[..., Suite]) -> None:
    one, other = ProductCounter(), ProductCounter()
    with one.counting():
        (result, *_) = list(run_cases(llama_suite("autoquant.replay_precision=exact").select("small"), device="cpu"))
    with other.counting():
        list(run_cases(llama_suite(ROUNDS).select("small"), device="cpu"))
    assert result.scores is not None
    weights = sum(score.group.weights for score in result.scores.groups)
    assert one.flops - other.flops == 2 * result.scores.loss_tokens * weights


@pytest.mark.parametrize("which", ["tf32", "bfloat16"])
def test_rounding_is_to_the_nearest_number_of_fewer_bits(which: Operands) -> None:
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(100_000, generator=generator) * 10.0 ** torch.randint(-20, 20, (100_000,), generator=generator)
    found = rounded(values, which).float()
    lost = BITS[which]
    below = (values.view(torch.int32) >> lost << lost).view(torch.float32)
    above = ((values.view(torch.int32) >> lost) + 1 << lost).view(torch.float32)
    nearest = torch.minimum((values - below).abs(), (above - values).abs())
    assert torch.equal((found - values).abs(), nearest)
    assert not (found.view(torch.int32) & (1 << lost) - 1).any()


@pytest.mark.parametrize("which", ["float32", "tf32", "bfloat16"])
def test_what_is_no_number_stays_none(which: Operands) -> None:
    # The last is the one that GPUs make.
    others = torch.tensor([0x7FC00000, -0x400000, 0x7FFFFFFF], dtype=torch.int32).view(torch.float32)
    assert rounded(others, which).isnan().all()
    assert not rounded(torch.tensor([math.inf, -math.inf]), which).isfinite().any()
    assert rounded(torch.zeros(3), which).tolist() == [0, 0, 0]


@pytest.mark.parametrize("in_hardware", [False, True])
@pytest.mark.parametrize("which", ["tf32", "bfloat16"])
def test_the_product_is_that_of_the_rounded_operands(
    which: Operands, in_hardware: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not in_hardware:
        monkeypatch.setattr(operands, "has_fast_products", lambda _: False)
    rows, weight = (
        rounded(torch.randn(50, 300, generator=torch.Generator().manual_seed(seed)), which) for seed in (1, 2)
    )
    product = rounded_product(rows, weight, which)
    assert product.dtype == torch.float32
    # oneDNN rounds what comes out once more.
    assert torch.allclose(product.double(), rows.double() @ weight.double().T, rtol=2**-8, atol=1e-3)


def test_chosen_by_itself_it_follows_from_the_model_and_the_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    for fast in (False, True):
        monkeypatch.setattr(operands, "has_fast_products", lambda _, fast=fast: fast)
        for dtype in ("float32", "bfloat16", "float16"):
            assert [choose_operands("exact", dtype, each) for each in (cpu, gpu)] == ["float32", "float32"]
            assert [choose_operands("tensor_core", dtype, each) for each in (cpu, gpu)] == ["bfloat16", "tf32"]
            rounds = fast and dtype == "bfloat16"
            assert choose_operands("auto", dtype, cpu) == ("bfloat16" if rounds else "float32")
            assert choose_operands("auto", dtype, gpu) == ("tf32" if rounds else "float32")


def test_the_manifest_says_what_was_rounded_and_nothing_else(llama_suite: Callable[..., Suite]) -> None:
    for precision, said in (
        ("auto", {}),
        ("exact", {}),
        ("tensor_core", {"replay_precision": "tensor_core", "operand_dtype": "bfloat16"}),
    ):
        engine = engine_of(llama_suite(f"autoquant.replay_precision={precision}", "suite.pairs=[wfp8_afp8]"))
        assert {key: value for key, value in engine.items() if key in ("replay_precision", "operand_dtype")} == said


def test_what_runs_again_as_modules_is_not_rounded(llama_suite: Callable[..., Suite]) -> None:
    pairs = "suite.pairs=[wint4_awq]"
    assert "replay_precision" not in engine_of(llama_suite(ROUNDS, pairs))
    found, expected = (
        numbers(run_cases(llama_suite(*overrides, pairs).select("small"), device="cpu"))
        for overrides in ((ROUNDS,), ())
    )
    assert found == expected


def engine_of(suite: Suite) -> dict[str, Any]:
    (result,) = run_cases(suite.select("small"), device="cpu")
    assert result.manifest is not None, result.error
    engine: dict[str, Any] = result.manifest["engine"]
    return engine


def test_a_precision_that_there_is_not_is_one_line() -> None:
    with pytest.raises(
        InputError, match=r"replay_precision: .fast. is not valid; valid: auto, exact, tensor_core"
    ) as raised:
        load_suite(SUITE, overrides=["autoquant.replay_precision=fast"])
    assert "\n" not in str(raised.value)
