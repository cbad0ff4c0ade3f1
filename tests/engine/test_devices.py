"""What happens on a GPU, as far as shapes and devices go: there is none here, so its tensors are torch's fake ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from tests.places import SUITE
from torch._subclasses.fake_tensor import FakeTensorMode

from auto_quantize_model import load_suite
from auto_quantize_model.engine.capture.captured import stack_on_host
from auto_quantize_model.precision.capability import check_format
from auto_quantize_model.precision.formats import resolve_format

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auto_quantize_model.cases.settings import PairSettings


@pytest.fixture
def gpus() -> Iterator[None]:
    """Inside, tensors of any device have no values; a mixture of devices, or a look at a value, is an error."""
    with FakeTensorMode():
        yield


@pytest.mark.usefixtures("gpus")
def test_what_was_captured_here_goes_together_with_what_was_read_from_files() -> None:
    captured, read = torch.empty(4, device="cuda"), torch.empty(4)
    found = stack_on_host([captured, read])
    assert (found.device.type, found.shape) == ("cpu", (2, 4))


# INT8's kernel on CPU looks at the maximum; that on CUDA is another.
@pytest.mark.parametrize(
    "pair", [pair for pair in load_suite(SUITE).pairs if "int8" not in pair.name], ids=lambda pair: pair.name
)
def test_quantizing_waits_for_no_value(pair: PairSettings) -> None:
    quantizers, _ = check_format(resolve_format(pair.format), torch.device("cpu"))
    with FakeTensorMode(allow_non_fake_inputs=True):
        values = torch.empty(64, 96)
        assert quantizers.quantize_weight(values).shape == values.shape
        if quantizers.input is not None:
            assert quantizers.quantize_input(values, torch.full((), 1.0)).shape == values.shape
