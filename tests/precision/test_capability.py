from __future__ import annotations

import pytest
import torch

from auto_quantize_model import CaseError, InputError, Suite
from auto_quantize_model.cases.settings import FormatSettings
from auto_quantize_model.errors import UnavailableError
from auto_quantize_model.precision.capability import check_format, find_device
from auto_quantize_model.precision.formats import resolve_format

CUDA = torch.cuda.is_available()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tpu", "device 'tpu' is unknown; use auto, cpu, cuda or cuda:N"),
        ("cuda:x", "is unknown"),
        ("cpu:1", "is unknown"),
        ("cuda:99", "device 'cuda:99' does not exist"),
        (f"cuda:{torch.cuda.device_count()}", "does not exist"),
    ],
)
def test_a_device_that_is_not_there_is_one_line(name: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        find_device(name)
    assert message in str(caught.value)


def test_a_model_says_where_it_may_run() -> None:
    with pytest.raises(UnavailableError, match="allow cuda only"):
        find_device("cpu", ("cuda",))
    assert find_device("auto", ("cpu",)) == torch.device("cpu")


@pytest.mark.skipif(CUDA, reason="there is a GPU")
def test_auto_is_the_cpu_where_there_is_no_gpu() -> None:
    assert find_device("auto") == torch.device("cpu")
    with pytest.raises(InputError, match="device 'cuda' does not exist"):
        find_device("cuda")


def test_every_pair_runs_on_cpu_and_says_with_what(suite: Suite) -> None:
    kernels = {}
    for case in suite.cases:
        _, kernels[case.pair.name] = check_format(resolve_format(case.pair.format), torch.device("cpu"))
    assert {each.weight for each in kernels.values()} == {
        "modelopt eager",
        "auto_quantize_model_nvfp4",
        "auto_quantize_model_mxfp4",
    }
    assert kernels["wfp8_afp16"].input == "none"
    assert kernels["wfp8_afp8"].input == "modelopt eager"


def test_a_format_that_needs_a_gpu_is_refused_on_cpu() -> None:
    # A format of ModelOpt's CUDA extension that no preset has, and this project no arithmetic for.
    blocks = {"-1": 32, "type": "dynamic", "scale_bits": [8, 0]}
    weights = {"quantizer_name": "*weight_quantizer", "cfg": {"num_bits": [5, 2], "block_sizes": blocks}}
    resolved = resolve_format(FormatSettings(name="X", config={"quant_cfg": [weights], "algorithm": None}))
    with pytest.raises(CaseError, match=r"^format 'X' cannot run on cpu: .+") as caught:
        check_format(resolved, torch.device("cpu"))
    assert "\n" not in str(caught.value)
