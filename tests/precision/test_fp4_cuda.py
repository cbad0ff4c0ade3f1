"""Ours against ModelOpt's CUDA kernels, bit for bit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from benchmarks.fp4_comparison import (
    DTYPES,
    KINDS,
    UNIT_AMAX,
    decided,
    differences,
    inputs,
    tied_inputs,
)

from auto_quantize_model.errors import UnavailableError
from auto_quantize_model.precision.fp4 import mxfp4, nvfp4
from benchmarks import fp4_comparison

if TYPE_CHECKING:
    from benchmarks.fp4_comparison import Mxfp4, Nvfp4
    from torch import Tensor

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU"),
]


def assert_same(values: Tensor, ours: Tensor, theirs: Tensor, compared: Tensor | None = None) -> None:
    found = differences(values, ours, theirs, compared)
    assert found.none, found


@pytest.fixture
def nvfp4_kernel() -> Nvfp4:
    try:
        return fp4_comparison.nvfp4_kernel()
    except UnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture
def mxfp4_kernel() -> Mxfp4:
    try:
        return fp4_comparison.mxfp4_kernel()
    except UnavailableError as error:
        pytest.skip(str(error))


every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)


@every_dtype
@pytest.mark.parametrize("kind", KINDS)
def test_nvfp4_equals_the_kernel(kind: str, dtype: torch.dtype, nvfp4_kernel: Nvfp4) -> None:
    values = inputs(kind, dtype, "cuda")
    amax = values.abs().amax()
    compared = decided(values, amax)
    assert_same(values, nvfp4(values, amax), nvfp4_kernel(values, amax), compared)


@every_dtype
def test_nvfp4_on_cpu_equals_the_kernel(dtype: torch.dtype, nvfp4_kernel: Nvfp4) -> None:
    values = inputs("random", dtype, "cuda")
    amax = values.abs().amax()
    compared = decided(values, amax)
    assert_same(values, nvfp4(values.cpu(), amax.cpu()).cuda(), nvfp4_kernel(values, amax), compared)


@every_dtype
def test_nvfp4_ties_equal_the_kernel(dtype: torch.dtype, nvfp4_kernel: Nvfp4) -> None:
    values, amax = tied_inputs(dtype, "cuda"), torch.tensor(UNIT_AMAX, device="cuda")
    assert_same(values, nvfp4(values, amax), nvfp4_kernel(values, amax))


@every_dtype
@pytest.mark.parametrize("kind", KINDS)
def test_mxfp4_equals_the_kernel(kind: str, dtype: torch.dtype, mxfp4_kernel: Mxfp4) -> None:
    values = inputs(kind, dtype, "cuda")
    theirs = mxfp4_kernel(values)
    assert_same(values, mxfp4(values), theirs)
    assert_same(values, mxfp4(values.cpu()).cuda(), theirs)


@every_dtype
def test_mxfp4_ties_equal_the_kernel(dtype: torch.dtype, mxfp4_kernel: Mxfp4) -> None:
    values = tied_inputs(dtype, "cuda")
    assert_same(values, mxfp4(values), mxfp4_kernel(values))
