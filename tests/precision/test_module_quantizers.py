"""ModelOpt's own quantizers in a layer, given one format after another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from auto_quantize_model.precision.conversion import convert_linears
from auto_quantize_model.precision.formats import resolve_format
from auto_quantize_model.precision.module_quantizers import (
    calibrate_by_maxima,
    only,
    set_input_maxima,
    set_up,
    set_up_inputs,
    unquantized,
)
from auto_quantize_model.precision.quantizers import build_quantizers

if TYPE_CHECKING:
    from auto_quantize_model import Suite
    from auto_quantize_model.precision.quantizers import FormatQuantizers

CPU = torch.device("cpu")
MEMBERS = ["layer"]


def root_of() -> Any:
    root: Any = torch.nn.ModuleDict({"layer": torch.nn.Linear(64, 32, bias=False)})
    with torch.no_grad():
        root["layer"].weight.copy_(torch.linspace(-1, 1, 32 * 64).sin().reshape(32, 64))
    convert_linears(root, MEMBERS)
    return root


@pytest.fixture
def formats(suite: Suite) -> dict[str, FormatQuantizers]:
    pairs = {case.pair.name: case.pair.format for case in suite.cases}
    return {name: build_quantizers(resolve_format(each), CPU) for name, each in pairs.items()}


INPUTS = torch.linspace(-3, 3, 4 * 64).tan().clamp(-5, 5).reshape(4, 64)


@pytest.mark.parametrize("before", ["wfp8_afp8", "wint8_aint8", "wfp4_afp4", "wmxfp4_afp8", "wfp8_afp16"])
@pytest.mark.parametrize("after", ["wfp8_afp8", "wint8_aint8", "wfp4_afp4", "wmxfp4_afp8", "wfp8_afp16"])
@torch.no_grad()
def test_the_inputs_of_a_format_are_its_own_whatever_was_before(
    before: str, after: str, formats: dict[str, FormatQuantizers]
) -> None:
    used, fresh = root_of(), root_of()
    set_up(used, MEMBERS, formats[before])
    calibrate_by_maxima(used, MEMBERS, {"layer.input_quantizer": 2.0})
    set_up_inputs(used, MEMBERS, formats[after])
    set_input_maxima(used, MEMBERS, {"layer.input_quantizer": 5.0})
    set_up(fresh, MEMBERS, formats[after])
    set_input_maxima(fresh, MEMBERS, {"layer.input_quantizer": 5.0})
    for root in (used, fresh):
        root["layer"].weight_quantizer.disable()
    assert torch.equal(used["layer"](INPUTS), fresh["layer"](INPUTS))
    assert torch.equal(used["layer"](INPUTS), root_of()["layer"](INPUTS)) == after.endswith("_afp16")


@torch.no_grad()
def test_either_side_alone_or_none_and_afterwards_both_again(formats: dict[str, FormatQuantizers]) -> None:
    root = root_of()
    layer, quantizers = root["layer"], formats["wint8_aint8"]
    plain = layer.weight.detach().clone()
    set_up(root, MEMBERS, quantizers)
    calibrate_by_maxima(root, MEMBERS, {"layer.input_quantizer": 5.0})
    weight = quantizers.quantize_weight(plain)
    inputs = quantizers.quantize_input(INPUTS, torch.tensor(5.0))
    expected = {"weights": INPUTS @ weight.T, "activations": inputs @ plain.T}
    for side, wanted in expected.items():
        with only(root, side):
            torch.testing.assert_close(layer(INPUTS), wanted)
    with unquantized(root):
        torch.testing.assert_close(layer(INPUTS), INPUTS @ plain.T)
    torch.testing.assert_close(layer(INPUTS), inputs @ weight.T)
    assert not torch.equal(weight, plain)
    assert not torch.equal(inputs, INPUTS)
