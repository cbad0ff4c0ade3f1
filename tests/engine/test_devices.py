"""What happens on a GPU, as far as shapes and devices go: there is none here, so its tensors are torch's fake ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from auto_quantize_model.engine.captured import stack_on_host

if TYPE_CHECKING:
    from collections.abc import Iterator


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
