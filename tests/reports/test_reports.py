from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from auto_quantize_model import run_cases, to_rows
from auto_quantize_model.reports import json_report, markdown

if TYPE_CHECKING:
    from auto_quantize_model import Suite


@pytest.fixture(scope="module")
def manifest(suite: Suite) -> dict[str, Any]:
    (result,) = run_cases(suite.select("tiny and wfp8_afp8 and small"), device="cpu")
    assert result.manifest is not None
    return result.manifest


def table_of(text: str) -> list[list[str]]:
    return [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]


def test_the_table_keeps_the_older_columns_and_adds_new_ones_after_them(manifest: dict[str, Any]) -> None:
    header, _, *rows = table_of(markdown.render(manifest))
    assert header[:4] == ["Layer", "Num Bits", "Sensitivity", "Size Cost"]
    assert header[4:] == [
        "Predicted KL",
        "Predicted KL 95 % Interval",
        "Std Error",
        "Of It Calibration",
        "95 % Interval",
        "Rank",
        "Rank 95 % Interval",
        "Band",
        "Status",
        "Weights + Activations + Both",
    ]
    assert len(rows) == 33
    worst = manifest["sensitivity_ranking"][-1]
    assert rows[0][0] == worst["name"].removesuffix(".quant_recipe")
    assert rows[0][2] == f"{worst['importance']:.3e}"
    assert [float(row[2]) for row in rows[:-1]] == sorted((float(row[2]) for row in rows[:-1]), reverse=True)


def test_what_was_not_measured_is_last_and_has_no_number(manifest: dict[str, Any]) -> None:
    *_, last = table_of(markdown.render(manifest))
    assert last[:4] == ["lm_head", "16.0", "n/a", "2.621e+05"]
    assert set(last[4:12]) == {"n/a"}
    assert last[-2:] == ["disabled", "n/a"]
    entry = json.loads(json_report.render(manifest))["layer_sensitivity"][-1]
    assert (entry["layer"], entry["sensitivity"], entry["status"]) == ("lm_head", None, "disabled")


def test_the_json_report_has_the_contracts_keys(manifest: dict[str, Any]) -> None:
    report = json.loads(json_report.render(manifest))
    assert list(report) == [
        "scheme",
        "model",
        "autoquant_state",
        "predicted_kl",
        "measured",
        "layer_sensitivity",
        "statistics",
        "dataset",
        "quantization",
        "run_config",
    ]
    assert {"layer", "num_bits", "sensitivity", "size_cost"} < set(report["layer_sensitivity"][0])


def test_what_was_measured_is_said_and_has_columns_where_groups_were(manifest: dict[str, Any]) -> None:
    text = markdown.render({**manifest, "measured": None})
    assert "- **Measured KL:** not measured; --sensitivity-measure cases (" in text
    measured = copy.deepcopy(manifest)
    worst = measured["layer_sensitivity"][measured["sensitivity_ranking"][-1]["name"]]
    worst["measured_kl"], worst["measured_kl_ci95"] = 0.25, [0.125, 0.5]
    captions = {"file": "a`b.txt", "samples": 7, "loss_tokens": 50, "sha256": "c" * 64}
    change = {"loss_change": -0.5, "loss_change_ci95": None, "top1_agreement": 0.75, "top1_agreement_ci95": None}
    measured["measured"] = {"kl": 1.5, "kl_ci95": None, **change, "captions": captions}
    text = markdown.render(measured)
    header, _, first, *_, last = table_of(text)
    assert header[6:8] == ["Measured KL", "Measured KL 95 % Interval"]
    assert first[6:8] == ["2.500e-01", "1.250e-01 to 5.000e-01"]
    assert last[6:8] == ["n/a", "n/a"]
    assert "`1.500e+00` nats per token with every chosen group quantized; on 7 captions of `` a`b.txt `` (50 " in text
    row = to_rows([measured])[0]
    assert (row["measured_kl"], row["measured_kl_ci95_low"], row["measured_kl_ci95_high"]) == (0.25, 0.125, 0.5)


def test_reports_are_functions_of_the_manifest_alone(manifest: dict[str, Any]) -> None:
    again = copy.deepcopy(manifest)
    for render in (markdown.render, json_report.render):
        assert render(manifest) == render(again)
    assert manifest == again


def test_what_a_manifest_says_nothing_of_has_no_column_and_no_section(manifest: dict[str, Any]) -> None:
    assert "\n## Were the captions enough?\n" in markdown.render(manifest)
    without = copy.deepcopy(manifest)
    del without["statistics"]
    for entry in without["layer_sensitivity"].values():
        for key in ("tie_band", "predicted_kl_stderr", "predicted_kl_ci95"):
            del entry[key]
    text = markdown.render(without)
    assert not any(word in text for word in ("enough", "settled", "Band", "Predicted KL 95 %"))
    report = json.loads(json_report.render(without))
    assert "statistics" not in report
    assert "tie_band" not in report["layer_sensitivity"][0]
