"""What each pair means in the installed ModelOpt: an upgrade must not change that silently.

The only drift check that imports ModelOpt; `-k "not config"` leaves it out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auto_quantize_model.plugin.failing import fail
from auto_quantize_model.plugin.schema_check import check_against_snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from syrupy.assertion import SnapshotAssertion

    from auto_quantize_model.cases.settings import PairSettings

# A warning at the import of an upgraded ModelOpt is no drift.
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def fail_unless_same(snapshot: SnapshotAssertion, found: Mapping[str, object], problem: str) -> None:
    difference = check_against_snapshot(found, snapshot)
    if difference is not None:
        fail(
            f"{problem}\n{difference}\n"
            "if that is meant: pytest -m gpu sensitivity_cases --publish\n"
            '         and then: pytest -m "not gpu" sensitivity_cases --snapshot-update'
        )


def test_resolved_config(sensitivity_pair: PairSettings, snapshot: SnapshotAssertion) -> None:
    from auto_quantize_model.precision.formats import resolve_format

    resolved = resolve_format(sensitivity_pair.format)
    meaning = {
        "format": resolved.name,
        "effective_bits": resolved.effective_bits,
        "config_sha256": resolved.sha256,
        "config": resolved.resolved,
    }
    fail_unless_same(
        snapshot,
        meaning,
        f"the pair {sensitivity_pair.name} no longer means what it meant: its YAML or the installed ModelOpt changed",
    )


def test_search_state_keys(snapshot: SnapshotAssertion) -> None:
    """ModelOpt's own search on two linear layers: the keys that manifests name."""
    import modelopt.torch.quantization as mtq
    import torch

    model = torch.nn.Sequential(torch.nn.Linear(16, 16), torch.nn.Linear(16, 16))
    _, state = mtq.auto_quantize(
        model,
        constraints={"effective_bits": 8.0},
        quantization_formats=[mtq.INT8_DEFAULT_CFG],
        data_loader=[torch.ones(4, 16)],
        forward_step=lambda model, batch: model(batch),
        loss_func=lambda output, _: output.square().mean(),
        num_calib_steps=1,
        num_score_steps=1,
        verbose=False,
    )
    found = {
        "state": sorted(state),
        "best": sorted(state["best"]),
        "groups": sorted(state["candidate_stats"]),
        "group": sorted(state["candidate_stats"]["0.quant_recipe"]),
        "formats": [str(each) for each in state["candidate_stats"]["0.quant_recipe"]["formats"]],
    }
    fail_unless_same(
        snapshot, found, "ModelOpt's search state has other keys than manifests are made for: read its release notes"
    )
