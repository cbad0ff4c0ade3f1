"""A bfloat16 model's scores: replay takes differences in float32, ModelOpt in bfloat16."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from tests.engine.modelopt_direct import scored_groups, search_state
from tests.places import SUITE

from auto_quantize_model import load_suite, run_cases
from auto_quantize_model.checkpoints.opening import open_checkpoint
from auto_quantize_model.engine.capture.batches import tokenize
from auto_quantize_model.engine.capture.captured import capture
from auto_quantize_model.engine.capture.groups import find_groups
from auto_quantize_model.families import load_model
from auto_quantize_model.plan import plan_passes
from auto_quantize_model.precision.capability import check_format
from auto_quantize_model.precision.formats import resolve_format

if TYPE_CHECKING:
    from auto_quantize_model import Case
    from auto_quantize_model.engine.capture.captured import GroupRows
    from auto_quantize_model.precision.quantizers import FormatQuantizers

CPU = torch.device("cpu")
BFLOAT16 = load_suite(SUITE, overrides=["suite.models=[qwen3_vl_tiny]", "model.dtype=bfloat16"])


def replayed(case: Case) -> dict[str, float]:
    (result,) = run_cases([case], device="cpu")
    assert result.manifest is not None
    assert result.manifest["engine"]["dtype"] == "bfloat16"
    assert result.manifest["engine"]["difference_dtype"] == "float32"
    entries = result.manifest["layer_sensitivity"]
    return {name: entry["scores"][0] for name, entry in entries.items() if entry["status"] == "scored"}


@pytest.mark.parametrize("case", BFLOAT16.select("afp16 and medium"), ids=lambda case: case.pair.name)
def test_weight_only_scores_are_those_of_float32(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    mine = replayed(case)
    exact = {name: stats["scores"][0] for name, stats in scored_groups(search_state(case, torch.float32)).items()}
    theirs = {name: stats["scores"][0] for name, stats in scored_groups(search_state(case, torch.bfloat16)).items()}
    ours_off = {name: mine[name] / exact[name] - 1 for name in exact}
    theirs_off = [theirs[name] / exact[name] - 1 for name in exact]
    worst = max(ours_off.values(), key=abs)
    with capsys.disabled():
        print(  # noqa: T201  the comparison is wanted in the output of the tests
            f"\n{case.id} in bfloat16 against float32: replay at worst {worst:+.2%}; "
            f"ModelOpt on average {np.mean(theirs_off):+.1%}, at worst {max(theirs_off, key=abs):+.1%}"
        )
    assert mine == pytest.approx(exact, rel=0.01)


@pytest.mark.parametrize("case", BFLOAT16.select("small and not afp16"), ids=lambda case: case.pair.name)
def test_activation_scores_are_the_formula_in_float64(case: Case) -> None:
    mine = replayed(case)
    (plan,) = plan_passes([case])
    loaded = load_model(case.model, open_checkpoint(case.checkpoint), CPU)
    layout = find_groups(loaded)
    batches = tokenize(plan, loaded)
    captured = capture(loaded, layout, batches, plan.scored)
    quantizers, _ = check_format(resolve_format(case.pair.format), CPU)
    expected = {}
    for group, maxima in zip(layout.groups, torch.from_numpy(captured.maxima()), strict=True):
        weights = {name: loaded.model.get_submodule(name).weight.detach().float() for name in group.members}
        seen = captured.take(group)
        expected[f"{group.name}.quant_recipe"] = score_in_float64(seen, maxima, weights, quantizers)
    assert mine == pytest.approx(expected, rel=1e-4)


def score_in_float64(
    seen: GroupRows, maxima: torch.Tensor, weights: dict[str, torch.Tensor], quantizers: FormatQuantizers
) -> float:
    total = 0.0
    for index, inputs in enumerate(seen.inputs):
        maximum = maxima.max() if quantizers.calibrated else maxima[index]
        quantized = quantizers.quantize_input(inputs.float(), maximum).double()
        for name, weight in weights.items():
            difference = quantized @ quantizers.quantize_weight(weight).double().T - inputs.double() @ weight.double().T
            total += float((seen.gradients[name][index].double() * difference).square().sum())
    return total
