from __future__ import annotations

import math
import operator
import re
import struct
import warnings
from typing import TYPE_CHECKING, Any

import modelopt.torch.quantization as mtq
import numpy as np
import pytest
import torch
from benchmarks.fp4_comparison import mxfp4_qtensor, nvfp4_qtensor
from hypothesis import given, settings
from hypothesis import strategies as st
from modelopt.torch.quantization.config import QuantizerAttributeConfig
from modelopt.torch.quantization.nn import TensorQuantizer
from modelopt.torch.quantization.nn.modules import tensor_quantizer

from auto_quantize_model.errors import CaseError
from auto_quantize_model.precision import fp4
from auto_quantize_model.precision.fp4 import (
    MXFP4_BACKEND,
    NVFP4_BACKEND,
    mxfp4,
    nvfp4,
    register_cpu_backends,
    static_blocks_on_cpu,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

GRID = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0]
TIES = [0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5.0]
TIES_TO_EVEN = [0.0, 1.0, 1.0, 2.0, 2.0, 4.0, 4.0]
DTYPES = [torch.float32, torch.bfloat16, torch.float16]
WIDTHS = [1, 16, 47, 64]
TINY = torch.finfo(torch.float32).smallest_normal
HUGE = torch.finfo(torch.float32).max
UNIT_AMAX = torch.tensor(6.0 * 448.0)
"""With this maximum NVFP4's global scale is 1."""

FORMATS: dict[str, Callable[[Tensor], Tensor]] = {
    "nvfp4": lambda values: nvfp4(values, torch.tensor(8.0)),
    "mxfp4": mxfp4,
}
both_formats = pytest.mark.parametrize("quantize", FORMATS.values(), ids=FORMATS.keys())


def randomness() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def normal(shape: tuple[int, int]) -> Tensor:
    return torch.randn(shape, generator=randomness())


def powers_of_two(least: int, most: int, rows: int) -> Tensor:
    return torch.exp2(torch.randint(least, most + 1, (rows, 1), generator=randomness()).float())


def subnormal(shape: tuple[int, int]) -> Tensor:
    units = torch.randint(-(1 << 24), 1 << 24, shape, generator=randomness())
    return (units.double() * 2.0**-149).float()


def tied(shape: tuple[int, int]) -> Tensor:
    marks = torch.tensor([sign * mark for mark in GRID + TIES for sign in (1, -1)])
    values = marks[torch.randint(len(marks), shape, generator=randomness())]
    values[:, 0] = 6.0
    return values * powers_of_two(-3, 3, shape[0])


def any_bits(shape: tuple[int, int]) -> Tensor:
    bits = torch.randint(-(1 << 31), 1 << 31, shape, generator=randomness())
    return bits.to(torch.int32).view(torch.float32)


INPUTS: dict[str, Callable[[tuple[int, int]], Tensor]] = {
    "random": normal,
    "tiny": lambda shape: normal(shape) * powers_of_two(-149, -118, shape[0]),
    "subnormal": subnormal,
    "huge": lambda shape: torch.rand(shape, generator=randomness()) * 6e38 - 3e38,
    "mixed": lambda shape: normal(shape) * powers_of_two(-20, 20, shape[0]),
    "ties": tied,
    "negative": lambda shape: -normal(shape).abs(),
    "zero": torch.zeros,
    "bits": any_bits,
}


def inputs(kind: str, dtype: torch.dtype = torch.float32, width: int = 64, rows: int = 24) -> Tensor:
    values = INPUTS[kind]((rows, width)).to(dtype)
    return torch.where(values.isfinite(), values, 0.0)


# A second implementation, one value at a time, after the control flow of the kernels' sources.


TRITON_STEPS = [
    (operator.le, 0.25, 0.0),
    (operator.lt, 0.75, 0.5),
    (operator.le, 1.25, 1.0),
    (operator.lt, 1.75, 1.5),
    (operator.le, 2.5, 2.0),
    (operator.lt, 3.5, 3.0),
    (operator.le, 5.0, 4.0),
]


def triton_round_magnitude(scaled: np.float32) -> float:
    return next((mark for holds, bound, mark in TRITON_STEPS if holds(scaled, bound)), 6.0)


def to_e4m3(value: float) -> float:
    if value == 0.0:
        return 0.0
    quantum = 2.0 ** (max(math.frexp(value)[1] - 1, -6) - 3)
    return round(value / quantum) * quantum


def nvfp4_block_scale(block: list[float], amax: float) -> np.float32:
    # As torch divides by a number on CUDA.
    global_scale = np.float32(amax) * (np.float32(1.0) / np.float32(6.0 * 448.0))
    if not global_scale > 0.0:
        global_scale = np.float32(1e-12)
    block_max = np.float32(max(abs(value) for value in block))
    in_fp8_range = min(block_max / (np.float32(6.0) * global_scale), np.float32(448.0))
    scale = np.float32(to_e4m3(float(in_fp8_range))) * global_scale
    return scale if scale >= np.float32(1e-5) else np.float32(1.0)


def nvfp4_block(block: list[float], amax: float) -> list[float]:
    scale = nvfp4_block_scale(block, amax)
    results = []
    for value in block:
        rescaled = np.float32(triton_round_magnitude(abs(np.float32(value)) / scale)) * scale
        results.append(float(rescaled if value >= 0 else -rescaled))
    return results


def flush(value: np.float32) -> np.float32:
    return value if abs(value) >= np.float32(TINY) else np.float32(0.0)


def mx_round_to_even(scaled: np.float32) -> float:
    for index, bound in enumerate(TIES):
        if scaled < bound:
            return GRID[index]
        if scaled == bound:
            return GRID[index] if index % 2 == 0 else GRID[index + 1]
    return GRID[-1]


def mxfp4_exponent(block: list[float]) -> int | None:
    amax = max(flush(abs(np.float32(value))) for value in block)
    if amax == 0:
        return None
    ratio = flush(amax / np.float32(6.0))
    (bits,) = struct.unpack("<I", struct.pack("<f", ratio))
    exponent_field, significand_field = (bits >> 23) & 0xFF, bits & 0x7FFFFF
    subnormal_half = exponent_field == 0 and significand_field <= 0x400000
    rounds_up = significand_field > 0 and exponent_field != 0xFE and not subnormal_half
    return int(exponent_field - 126 if rounds_up else exponent_field - 127)


def mxfp4_block(block: list[float]) -> list[float]:
    exponent = mxfp4_exponent(block)
    scale = np.float32(math.ldexp(1.0, -exponent)) if exponent is not None else np.float32(1.0)
    unscale = flush(np.float32(math.ldexp(1.0, exponent))) if exponent is not None else np.float32(1.0)
    results = []
    for value in block:
        magnitude = flush(flush(abs(np.float32(value))) * scale)
        magnitude = flush(np.float32(mx_round_to_even(magnitude)) * unscale)
        results.append(float(magnitude if value > 0 else -magnitude))
    return results


def by_rows(values: Tensor, size: int, quantize: Callable[[list[float]], list[float]]) -> Tensor:
    rows = []
    with np.errstate(all="ignore"):
        for row in values.float().tolist():
            blocks = (row[start : start + size] for start in range(0, len(row), size))
            rows.append([value for block in blocks for value in quantize(block)])
    return torch.tensor(rows, dtype=torch.float32).to(values.dtype)


def nvfp4_reference(values: Tensor, amax: Tensor) -> Tensor:
    return by_rows(values, 16, lambda block: nvfp4_block(block, amax.item()))


def mxfp4_reference(values: Tensor) -> Tensor:
    return by_rows(values, 32, mxfp4_block)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("kind", INPUTS)
def test_nvfp4_equals_the_scalar_reference(kind: str, dtype: torch.dtype, width: int) -> None:
    values = inputs(kind, dtype, width)
    for amax in (values.abs().amax(), torch.tensor(0.3), torch.tensor(0.0), UNIT_AMAX * 64):
        result = nvfp4(values, amax)
        assert result.dtype == dtype
        assert torch.equal(result, nvfp4_reference(values, amax)), f"amax {amax}"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("kind", INPUTS)
def test_mxfp4_equals_the_scalar_reference(kind: str, dtype: torch.dtype, width: int) -> None:
    values = inputs(kind, dtype, width)
    result = mxfp4(values)
    assert result.dtype == dtype
    assert torch.equal(result, mxfp4_reference(values))


@pytest.mark.parametrize("steps", [-2, -1, 0, 1, 2])
def test_mxfp4_scale_rounds_up_at_the_first_float_above_a_power_of_two(steps: int) -> None:
    largest = 6.0 + steps * 2.0**-21
    values = torch.tensor([[largest, 0.5]]) * torch.exp2(torch.arange(-120.0, 121.0))[:, None]
    assert torch.equal(mxfp4(values), mxfp4_reference(values))
    assert torch.equal(mxfp4(values)[:, 1] == 0, torch.full((241,), steps > 0))


def test_mxfp4_flushes_up_to_the_largest_subnormal() -> None:
    values = torch.tensor([12 * TINY, TINY, TINY - 2.0**-149, 2.0**-149])
    assert mxfp4(values).tolist() == [12 * TINY, TINY, 0.0, 0.0]
    assert mxfp4_block(values.tolist()) == [12 * TINY, TINY, 0.0, 0.0]


def test_both_formats_round_every_magnitude_and_tie_to_even() -> None:
    marks = torch.tensor([*GRID, *TIES, 5.999])
    expected = torch.tensor([*GRID, *TIES_TO_EVEN, 6.0])
    for values, rounded in ((marks, expected), (-marks, -expected)):
        assert torch.equal(nvfp4(values, UNIT_AMAX), rounded)
        assert torch.equal(mxfp4(values), rounded)
    just_below = torch.tensor([*TIES, 6.0]).nextafter(torch.tensor(0.0))
    assert nvfp4(just_below, UNIT_AMAX).tolist() == [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0]
    just_above = torch.tensor([*TIES, 5.9]).nextafter(torch.tensor(9.0))
    assert nvfp4(just_above, UNIT_AMAX).tolist() == [0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 6.0]


def test_nvfp4_saturates_where_the_maximum_is_too_small() -> None:
    values = torch.tensor([1.0, -100.0, 2.0, 5e37])
    assert nvfp4(values, torch.tensor(1.0)).tolist() == [1.0, -1.0, 1.0, 1.0]


def test_nvfp4_scales_below_the_kernels_smallest_become_one() -> None:
    """With unit scale a block's smallest step is 0.5, so that what is less than a quarter vanishes."""
    global_scale = 2.0**-17
    values = torch.tensor([6 * global_scale, 3 * global_scale])
    assert nvfp4(values, UNIT_AMAX * global_scale).tolist() == [0.0, 0.0]
    assert nvfp4(2 * values, UNIT_AMAX * global_scale).tolist() == (2 * values).tolist()


@both_formats
@pytest.mark.parametrize("shape", [(1,), (5,), (0,), (0, 16), (2, 3, 40), (1, 1, 1, 7)], ids=str)
def test_any_shape_is_its_rows_one_by_one(quantize: Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> None:
    values = torch.linspace(-4, 4, math.prod(shape)).reshape(shape)
    result = quantize(values)
    assert result.shape == shape
    assert result.is_contiguous()
    for row, quantized in zip(values.reshape(-1, shape[-1] or 1), result.reshape(-1, shape[-1] or 1), strict=True):
        assert torch.equal(quantize(row), quantized)


@both_formats
def test_a_block_never_crosses_a_row(quantize: Callable[[Tensor], Tensor]) -> None:
    values = inputs("random", width=40)
    before = quantize(values)
    values[3, -1] = 1e4
    changed = (before != quantize(values)).nonzero()
    assert set(changed[:, 0].tolist()) == {3}
    assert changed[:, 1].min() >= 32


@both_formats
def test_a_partial_block_is_padded_with_zeros(quantize: Callable[[Tensor], Tensor]) -> None:
    values = inputs("random", torch.bfloat16, width=47)
    padded = torch.nn.functional.pad(values, (0, 17))
    assert torch.equal(quantize(values), quantize(padded)[:, :47])


@both_formats
def test_a_chunk_boundary_changes_nothing(
    quantize: Callable[[Tensor], Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    values = inputs("mixed", width=100)
    whole = quantize(values)
    monkeypatch.setattr(fp4, "CHUNK_PER_THREAD", 96)
    assert torch.equal(quantize(values), whole)


@both_formats
def test_inputs_stay_as_they_are_and_may_be_strided(quantize: Callable[[Tensor], Tensor]) -> None:
    values = inputs("random", width=64)
    copy = values.clone()
    strided = values.t().contiguous().t()
    assert torch.equal(quantize(strided), quantize(values))
    assert torch.equal(values, copy)
    assert torch.equal(strided, copy)


@both_formats
def test_no_gradient_passes(quantize: Callable[[Tensor], Tensor]) -> None:
    values = torch.randn(2, 32, requires_grad=True)
    assert not quantize(values).requires_grad


@both_formats
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_negating_the_input_negates_the_result(quantize: Callable[[Tensor], Tensor], dtype: torch.dtype) -> None:
    for kind in INPUTS:
        values = inputs(kind, dtype)
        assert torch.equal(quantize(-values), -quantize(values)), kind


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("kind", ["random", "ties", "negative", "zero"])
def test_quantizing_again_changes_nothing(kind: str, dtype: torch.dtype) -> None:
    values = inputs(kind, dtype)
    amax = values.abs().amax()
    once = nvfp4(values, amax)
    assert torch.equal(nvfp4(once, amax), once)
    once = mxfp4(values)
    assert torch.equal(mxfp4(once), once)


def test_nvfp4_is_not_idempotent_where_the_block_scale_is_subnormal_in_e4m3() -> None:
    # The block's maximum, 0.51 of the smallest scale times 6, becomes 3 times that scale: next time, half of it.
    values = torch.tensor([2.0**-9 * 6 * 0.51])
    once = nvfp4(values, UNIT_AMAX)
    assert once.tolist() == [3 * 2.0**-9]
    assert nvfp4(once, UNIT_AMAX).tolist() == [0.0]


magnitudes = st.floats(min_value=2.0**-100, max_value=2.0**100, width=32)
signed = st.one_of(magnitudes, magnitudes.map(lambda value: -value), st.just(0.0))


def near(center: float) -> st.SearchStrategy[float]:
    return st.floats(min_value=center * 0.001953125, max_value=center, width=32)


def check_block(block: list[float], results: list[float], scale: float) -> None:
    for value, result in zip(block, results, strict=True):
        scaled, magnitude = abs(value) / scale, abs(result) / scale
        closest = min(GRID, key=lambda mark: abs(mark - magnitude))
        assert magnitude == pytest.approx(closest, rel=2.0**-22)
        assert result == 0.0 or (result > 0) == (value > 0)
        if scaled <= 6.0:
            step = 0.5 if scaled < 2.0 else 1.0 if scaled < 4.0 else 2.0
            assert abs(scaled - closest) <= step / 2 * (1 + 2.0**-20)
        else:
            assert closest == 6.0


@given(st.lists(signed, min_size=1, max_size=32))
@settings(max_examples=200, deadline=None)
def test_mxfp4_results_are_the_nearest_on_the_grid(block: list[float]) -> None:
    results = mxfp4(torch.tensor(block)).tolist()
    assert results == mxfp4_block(block)
    exponent = mxfp4_exponent(block)
    if exponent is not None:
        assert max(abs(value) for value in block) <= 6.0 * 2.0**exponent
        check_block(block, results, 2.0**exponent)


@given(st.lists(signed, min_size=1, max_size=16), magnitudes)
@settings(max_examples=200, deadline=None)
def test_nvfp4_results_are_the_nearest_on_the_grid(block: list[float], amax: float) -> None:
    results = nvfp4(torch.tensor(block), torch.tensor(amax)).tolist()
    with np.errstate(all="ignore"):
        assert results == nvfp4_block(block, amax)
        scale = float(nvfp4_block_scale(block, amax))
    check_block(block, results, scale)


@given(st.lists(near(8.0), min_size=16, max_size=16), st.sampled_from([0.01, 0.1, 1.0, 1e10]))
@settings(max_examples=100, deadline=None)
def test_both_formats_are_idempotent_on_ordinary_blocks(block: list[float], factor: float) -> None:
    values = torch.tensor(block) * factor
    amax = torch.tensor(8.0 * factor)
    once = nvfp4(values, amax)
    assert torch.equal(nvfp4(once, amax), once)
    assert torch.equal(mxfp4(mxfp4(values)), mxfp4(values))


# ModelOpt's own storage classes, written by somebody else, and each way in which they differ from its kernels.


@pytest.mark.parametrize("factor", [0.1, 1.0, 100.0])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("kind", ["random", "ties", "negative"])
def test_nvfp4_equals_modelopts_qtensor_on_ordinary_values(kind: str, dtype: torch.dtype, factor: float) -> None:
    values = inputs(kind, dtype, rows=2000)
    amax = values.abs().amax() * factor
    assert torch.equal(nvfp4(values, amax), nvfp4_qtensor(values, amax))


def test_mxfp4_equals_modelopts_qtensor_on_ordinary_values() -> None:
    values = inputs("mixed", rows=2000)
    assert torch.equal(mxfp4(values), mxfp4_qtensor(values))


def repeated(value: float, count: int) -> Tensor:
    return torch.full((1, count), value)


def test_difference_nvfp4_global_scale() -> None:
    # The class divides by 6 * 448 on a CPU; on CUDA torch multiplies by the rounded reciprocal, and so does this.
    amax = torch.tensor(1.3)
    divided, multiplied = amax / (6.0 * 448.0), amax * (torch.ones(()) / (6.0 * 448.0))
    assert divided != multiplied
    values = repeated(1.3, 16)
    assert nvfp4(values, amax)[0, 0] == 448.0 * multiplied * 6.0
    assert nvfp4_qtensor(values, amax)[0, 0] == 448.0 * divided * 6.0


def test_difference_nvfp4_all_zero_tensor() -> None:
    # The kernel replaces a global scale of 0; the class divides 0 by it.
    zeros = repeated(0.0, 16)
    assert torch.equal(nvfp4(zeros, zeros.amax()), zeros)
    assert nvfp4_qtensor(zeros, zeros.amax()).isnan().all()


def test_difference_nvfp4_block_scale_under_1e_5() -> None:
    # The kernel replaces a block scale under 1e-5 by 1, so all of the block rounds to 0; the class keeps the scale.
    values = repeated(5.9e-5, 16)
    assert torch.equal(nvfp4(values, values.amax()), repeated(0.0, 16))
    torch.testing.assert_close(nvfp4_qtensor(values, values.amax()), values)


def test_no_difference_nvfp4_block_scale_over_1e_5() -> None:
    values = repeated(6.1e-5, 16)
    torch.testing.assert_close(nvfp4(values, values.amax()), values)
    assert torch.equal(nvfp4(values, values.amax()), nvfp4_qtensor(values, values.amax()))


def test_difference_nvfp4_block_scale_that_e4m3_rounds_to_zero() -> None:
    # At or under half of E4M3's smallest scale, 2^-9, the kernel's scale becomes 0 and then 1; the class stops at 2^-9.
    values = repeated(6 * 2.0**-10, 16)
    assert torch.equal(nvfp4(values, UNIT_AMAX), repeated(0.0, 16))
    assert torch.equal(nvfp4_qtensor(values, UNIT_AMAX), values)
    above = repeated(6 * 2.0**-10 * 1.001, 16)
    assert torch.equal(nvfp4(above, UNIT_AMAX), nvfp4_qtensor(above, UNIT_AMAX))


def test_difference_nvfp4_block_of_large_values_among_very_much_larger() -> None:
    # The same rule: the replacement scale 1 saturates a block at 6, where the class's smallest scale rounds it to 0.
    values = torch.cat([repeated(100.0, 16), repeated(1e9, 16)], dim=-1)
    ours, theirs = nvfp4(values, values.amax()), nvfp4_qtensor(values, values.amax())
    assert torch.equal(ours[:, :16], repeated(6.0, 16))
    assert torch.equal(theirs[:, :16], repeated(0.0, 16))
    assert torch.equal(ours[:, 16:], theirs[:, 16:])


def test_difference_nvfp4_partial_block() -> None:
    # The class pads what it packs, but cannot bring the padded result back to the original shape.
    values = torch.linspace(-6, 6, 20)[None]
    padded = torch.nn.functional.pad(values, (0, 12))
    assert torch.equal(nvfp4(values, UNIT_AMAX), nvfp4_qtensor(padded, UNIT_AMAX)[:, :20])
    with pytest.raises(RuntimeError, match="invalid for input of size 32"):
        nvfp4_qtensor(values, UNIT_AMAX)


def mxfp4_row(*values: float) -> Tensor:
    return torch.nn.functional.pad(torch.tensor([values]), (0, 32 - len(values)))


def test_difference_mxfp4_ties() -> None:
    # The class counts the bounds strictly below a magnitude: every tie goes down, not to even. In bfloat16 that is
    # not rare: of normally distributed values, one in 200 is such a tie.
    values = mxfp4_row(6.0, *TIES)
    assert mxfp4(values)[0, 1:8].tolist() == [0.0, 1.0, 1.0, 2.0, 2.0, 4.0, 4.0]
    assert mxfp4_qtensor(values)[0, 1:8].tolist() == [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0]


def test_difference_mxfp4_subnormal_inputs() -> None:
    # The kernel flushes a subnormal input to zero; the class rounds it, to a subnormal or a normal number.
    values = mxfp4_row(6 * TINY, TINY / 2)
    assert mxfp4(values)[0, :2].tolist() == [6 * TINY, 0.0]
    assert mxfp4_qtensor(values)[0, :2].tolist() == [6 * TINY, TINY / 2]
    values = mxfp4_row(12 * TINY, 0.75 * TINY)
    assert mxfp4(values)[0, :2].tolist() == [12 * TINY, 0.0]
    assert mxfp4_qtensor(values)[0, :2].tolist() == [12 * TINY, TINY]


def test_difference_mxfp4_subnormal_scale() -> None:
    # The kernel flushes the scale 2^-127, and with it the whole block; the class goes on with it.
    values = mxfp4_row(3 * TINY, TINY)
    assert mxfp4(values)[0, :2].tolist() == [0.0, 0.0]
    assert mxfp4_qtensor(values)[0, :2].tolist() == [3 * TINY, TINY]


def test_difference_mxfp4_scale_just_above_a_power_of_two() -> None:
    # The class takes the exponent from a float32 logarithm, which loses the last bits of a ratio just above 2^100.
    largest = float(np.nextafter(np.float32(6 * 2.0**100), np.float32(np.inf)))
    values = mxfp4_row(largest, 2.0**99, 5 * 2.0**99)
    assert mxfp4(values)[0, :3].tolist() == [6 * 2.0**100, 0.0, 2.0**101]
    assert mxfp4_qtensor(values)[0, :3].tolist() == [6 * 2.0**100, 2.0**99, 2.0**101]


def test_difference_mxfp4_blocks_cross_rows() -> None:
    # The class cuts the flattened tensor into blocks of 32: with 16 columns two rows share a scale.
    values = torch.cat([repeated(0.1875, 16), repeated(6.0, 16)])
    assert torch.equal(mxfp4(values), values)
    assert torch.equal(mxfp4_qtensor(values), torch.cat([repeated(0.0, 16), repeated(6.0, 16)]))


def test_difference_mxfp4_sign_of_zero() -> None:
    # The class packs a zero with the sign bit set: equal as a number, not as bits.
    assert not mxfp4(mxfp4_row(1.0)).signbit().any()
    assert mxfp4_qtensor(mxfp4_row(1.0)).signbit()[0, 1:].all()


def same_either_way(amax: Tensor) -> Tensor:
    """The next maximum whose global scale is the same divided as multiplied by the rounded reciprocal."""
    while amax / (6.0 * 448.0) != amax * (torch.ones(()) / (6.0 * 448.0)):
        amax = torch.nextafter(amax, torch.tensor(torch.inf))
    return amax


def unexplained_nvfp4(values: Tensor, amax: Tensor) -> Tensor:
    amax = same_either_way(amax)
    global_scale = amax.float() / (6.0 * 448.0)
    if global_scale == 0:
        return torch.zeros_like(values, dtype=torch.bool)
    block_amax = values.float().abs().unflatten(-1, (-1, 16)).amax(dim=-1)
    in_fp8_range = (block_amax / (6.0 * global_scale)).clamp(max=448.0)
    replaced = in_fp8_range.to(torch.float8_e4m3fn).float() * global_scale < 1e-5
    unexplained: Tensor = (nvfp4(values, amax) != nvfp4_qtensor(values, amax)) & ~replaced.repeat_interleave(16, dim=-1)
    return unexplained


def unexplained_mxfp4(values: Tensor) -> Tensor:
    blocks = values.float().unflatten(-1, (-1, 32))
    block_amax = blocks.abs().amax(dim=-1, keepdim=True)
    ratio = block_amax / 6.0
    exponent = torch.log2(ratio.double()).ceil().clamp(min=-127.0)
    logarithm_lost_bits = ratio.log2().ceil().clamp(min=-127.0) != exponent
    flushed = block_amax < 12 * TINY
    scaled = blocks.double().abs() / torch.exp2(exponent)
    tied = torch.isin(scaled, torch.tensor([0.75, 1.75, 3.5], dtype=torch.float64))
    explained = (logarithm_lost_bits | flushed | tied).flatten(-2)
    unexplained: Tensor = (mxfp4(values) != mxfp4_qtensor(values)) & ~explained
    return unexplained


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("kind", INPUTS)
def test_there_is_no_other_difference(kind: str, dtype: torch.dtype) -> None:
    values = inputs(kind, dtype, rows=500)
    for factor in (1e-3, 1.0, 100.0):
        amax = (values.abs().amax().double() * factor).clamp(max=HUGE).float()
        assert not unexplained_nvfp4(values, amax).any()
    assert not unexplained_mxfp4(values).any()


# Inside ModelOpt.


NVFP4_ATTRIBUTES: dict[str, Any] = {
    "num_bits": (2, 1),
    "block_sizes": {-1: 16, "type": "dynamic", "scale_bits": (4, 3)},
    "backend": NVFP4_BACKEND,
}
MXFP4_ATTRIBUTES: dict[str, Any] = {
    "num_bits": (2, 1),
    "block_sizes": {-1: 32, "type": "dynamic", "scale_bits": (8, 0)},
    "backend": MXFP4_BACKEND,
}


def quantizer_of(attributes: dict[str, Any], block_size: int | None = None) -> Any:
    register_cpu_backends()
    blocks = attributes["block_sizes"] | ({-1: block_size} if block_size else {})
    return TensorQuantizer(QuantizerAttributeConfig(**(attributes | {"block_sizes": blocks})))


@pytest.fixture(params=[NVFP4_ATTRIBUTES, MXFP4_ATTRIBUTES], ids=["nvfp4", "mxfp4"])
def attributes(request: pytest.FixtureRequest) -> dict[str, Any]:
    chosen: dict[str, Any] = request.param
    return chosen


def expected(attributes: dict[str, Any], values: Tensor, amax: Tensor | None = None) -> Tensor:
    if attributes is MXFP4_ATTRIBUTES:
        return mxfp4(values)
    return nvfp4(values, values.abs().amax() if amax is None else amax)


def test_registering_again_changes_nothing_and_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        register_cpu_backends()
        register_cpu_backends()


def test_a_quantizer_without_a_maximum_takes_the_tensors_own(attributes: dict[str, Any]) -> None:
    values = inputs("random", torch.bfloat16, width=40).reshape(2, 12, 40)
    assert torch.equal(quantizer_of(attributes)(values), expected(attributes, values))


def test_a_quantizer_with_a_maximum_uses_it_or_the_greatest_of_several() -> None:
    values = inputs("random")
    for amax in (torch.tensor(9.0), torch.tensor([1.0, 9.0, 2.0]), torch.tensor([[[1.0]], [[9.0]]])):
        quantizer = quantizer_of(NVFP4_ATTRIBUTES)
        quantizer.amax = amax
        assert torch.equal(quantizer(values), nvfp4(values, torch.tensor(9.0)))


@pytest.mark.parametrize("block_size", [8, 16, 32, 64])
def test_another_block_size_is_one_clear_line(attributes: dict[str, Any], block_size: int) -> None:
    right = attributes["block_sizes"][-1]
    quantizer = quantizer_of(attributes, block_size)
    if block_size == right:
        quantizer(torch.ones(2, 64))
        return
    message = f"means blocks of {right} along the last dimension, but the quantizer has {block_size}; set its"
    with pytest.raises(CaseError, match=re.escape(message)) as raised:
        quantizer(torch.ones(2, 64))
    assert "\n" not in str(raised.value)


def numbers_of(exponent_bits: int, mantissa_bits: int, largest: float) -> Tensor:
    """What a small float can hold from 0 up, counted from its bits."""
    bias = 2 ** (exponent_bits - 1) - 1
    numbers = [
        (mantissa / 2**mantissa_bits + (exponent > 0)) * 2.0 ** (max(exponent, 1) - bias)
        for exponent in range(2**exponent_bits)
        for mantissa in range(2**mantissa_bits)
    ]
    return torch.tensor([each for each in numbers if each <= largest])


MX_NUMBERS = {
    (2, 1): numbers_of(2, 1, 6.0),
    (2, 3): numbers_of(2, 3, 7.5),
    (3, 2): numbers_of(3, 2, 28.0),
    (4, 3): numbers_of(4, 3, 448.0),
    8: torch.arange(128.0),
}


@pytest.mark.parametrize("bits", MX_NUMBERS, ids=str)
def test_every_mx_format_gives_the_nearest_of_its_numbers(bits: Any) -> None:
    numbers = MX_NUMBERS[bits]
    blocks = inputs("random", width=32, rows=60).float()
    found = fp4.mx(blocks, fp4.MX_FORMATS[bits])
    scale = 2 ** (blocks.abs().amax(dim=-1, keepdim=True) / numbers.max()).log2().ceil()
    places = blocks.abs() / scale
    distances = (places[..., None] - numbers).abs()
    nearest = numbers[distances.argmin(dim=-1)]
    clear = distances.topk(2, largest=False).values.diff(dim=-1)[..., 0] > 1e-6
    assert clear.float().mean() > 0.98
    assert torch.equal(found[clear], (nearest * scale * blocks.sign())[clear])
    # Of two that are as near, the one that ends in an even bit.
    index = torch.arange(len(numbers) - 1)
    middle = (numbers[:-1] + numbers[1:]) / 2
    even = numbers[index + index % 2]
    for part, wanted in zip(middle.split(31), even.split(31), strict=True):
        block = torch.nn.functional.pad(torch.cat([numbers[-1:], part]), (0, 31 - len(part)))
        assert torch.equal(fp4.mx(block[None], fp4.MX_FORMATS[bits])[0, 1 : 1 + len(part)], wanted)


def test_blocks_may_be_of_the_last_dimension_by_its_own_number(attributes: dict[str, Any]) -> None:
    values = inputs("random", width=64).reshape(3, -1, 64)
    size = attributes["block_sizes"][-1]
    others = {key: value for key, value in attributes["block_sizes"].items() if key != -1}
    by_number = quantizer_of(attributes | {"block_sizes": others | {2: size}})
    assert torch.equal(by_number(values), quantizer_of(attributes)(values))


@pytest.mark.parametrize("largest", [448.0, 256.0])
def test_scales_of_static_blocks_are_in_e4m3_with_the_largest_that_is_asked_for(largest: float) -> None:
    """Against torch's own E4M3; the whole tensor's largest block gets the largest scale."""
    blocks = inputs("random", width=16, rows=40).float()
    amax = blocks.abs().amax(dim=-1, keepdim=True)
    whole = amax.amax() * 1.5
    with static_blocks_on_cpu():
        found = tensor_quantizer.static_blockwise_fp4_fake_quant(blocks, amax, whole, True, largest)
    unit = largest / (whole / 6)
    scale = (amax / 6 * unit).to(torch.float8_e4m3fn).float() / unit
    grid = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6])
    places = (blocks.abs() / scale).clamp(max=6)
    distances = (places[..., None] - grid).abs()
    # Not what lies in the middle of two, where either may be.
    clear = distances.sort(dim=-1).values.diff(dim=-1)[..., 0] > 1e-4
    expected = grid[distances.argmin(dim=-1)] * scale * blocks.sign()
    assert clear.float().mean() > 0.99
    torch.testing.assert_close(found[clear], expected[clear], rtol=1e-6, atol=0)
    # A block whose maximum is said to be zero is zero.
    amax[3] = 0
    with static_blocks_on_cpu():
        emptied = tensor_quantizer.static_blockwise_fp4_fake_quant(blocks, amax, whole, True, largest)
    assert blocks[3].any()
    assert not emptied[3].any()


def test_a_model_is_calibrated_and_quantized_by_modelopt(attributes: dict[str, Any]) -> None:
    register_cpu_backends()
    first, second = torch.nn.Linear(48, 40, bias=False), torch.nn.Linear(40, 8, bias=False)
    weights = [first.weight.detach().clone(), second.weight.detach().clone()]
    batches = torch.randn(3, 4, 48)
    hidden = batches @ weights[0].T
    rules = [
        {"quantizer_name": "*", "enable": False},
        {"quantizer_name": "*weight_quantizer", "cfg": attributes},
        {"quantizer_name": "*input_quantizer", "cfg": attributes},
    ]
    model = torch.nn.Sequential(first, second)
    mtq.quantize(model, {"quant_cfg": rules, "algorithm": "max"}, lambda calibrated: calibrated(batches))

    values = batches[1]
    for weight, unquantized in zip(weights, (batches, hidden), strict=True):
        quantized = expected(attributes, values, unquantized.abs().amax())
        values = torch.nn.functional.linear(quantized, expected(attributes, weight))
    assert torch.equal(model(batches[1]), values)
