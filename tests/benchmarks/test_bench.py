"""The bench: exponents of growth, floors by products that ran, and past runs that a slower one is seen against."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
import torch
from benchmarks.floors import Product, ProductsSeen, floor_seconds, flops
from benchmarks.growth import AXES, STAGES, Cost, Point, cost_of, document, exponent, table
from benchmarks.measuring import Stages
from benchmarks.trend import Run, compared, described, read_past

from auto_quantize_model.engine.machine.products import product
from auto_quantize_model.errors import InputError
from benchmarks import matrix, trend

if TYPE_CHECKING:
    from pathlib import Path

NOW = Run("model", "abc", "2026-01-01", {"hardware": "this"}, {"pass over ModelOpt's loop": 0.05, "replay": 1.5}, {})


def other(**ratios: float) -> Run:
    return dataclasses.replace(NOW, ratios=ratios)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_the_exponent_is_that_of_the_power_law(power: float) -> None:
    sizes = (2.0, 4.0, 8.0, 16.0)
    assert exponent(sizes, [3 * size**power for size in sizes]) == pytest.approx(power)


def test_each_axis_has_four_points_and_goes_through_the_same_one() -> None:
    for axis, sizes in AXES.items():
        assert len(sizes) == 4
        assert getattr(Point(), axis) in sizes


def test_the_table_has_shares_and_exponents_and_the_document_the_machine() -> None:
    costs = {size: Cost(2.0 * size, 0.5 * size, 1.0 * size, size**0.5) for size in (1, 2, 4, 8)}
    lines = list(table("layers", costs))
    assert lines[1].split() == ["1", "2.00", "25%", "50%", "25%", "1.000"]
    assert lines[-1].split() == ["exponent", "1.00", "1.00", "1.00", "0.50"]
    found = document({"layers": costs})
    assert found["growth"]["layers"]["exponents"]["memory"] == pytest.approx(0.5)
    assert "torch" in found["machine"]


def test_a_point_is_a_pass_of_which_the_stages_take_most() -> None:
    cost = cost_of(Point(layers=1, hidden=128, captions=16, pairs=1), rounds=1)
    assert 0 < sum(cost.share(stage) for stage in STAGES) <= 1
    assert cost.memory >= 0


def test_products_are_noted_by_stage_forward_and_backward() -> None:
    layer = torch.nn.Linear(3, 5)
    inputs = torch.randn(7, 3, requires_grad=True)
    with ProductsSeen() as seen:
        layer(inputs).sum().backward()
        seen("capture", 1, 1)
        product(torch.randn(2, 3, 4), torch.randn(6, 4))
        torch.bmm(torch.randn(2, 3, 4), torch.randn(2, 4, 5))
        seen("replay", 1, 1)
    assert dict(seen.by_stage["capture"]) == {
        Product("torch", 7, 3, 5): 1,
        Product("torch", 7, 5, 3): 1,
        Product("torch", 5, 7, 3): 1,
    }
    assert dict(seen.by_stage["replay"]) == {Product("replay", 6, 4, 6): 1, Product("torch", 3, 4, 5, batch=2): 1}
    assert flops(seen.by_stage["replay"]) == 2 * 6 * 4 * 6 + 2 * 2 * 3 * 4 * 5


def test_products_without_gradients_are_noted_too() -> None:
    layer = torch.nn.Linear(3, 5)
    with ProductsSeen() as seen, torch.inference_mode():
        layer(torch.randn(2, 7, 3))
        torch.randn(2, 4, 7, 3) @ torch.randn(2, 4, 3, 5)
        torch.randn(7, 3) @ torch.randn(3)
        seen("capture", 1, 1)
    assert dict(seen.by_stage["capture"]) == {Product("torch", 14, 3, 5): 1, Product("torch", 7, 3, 5, batch=8): 1}


def test_a_floor_is_each_products_time_as_often_as_it_ran() -> None:
    ticks = iter(range(1000))
    seen = {Product("torch", 2, 3, 4): 5, Product("replay", 2, 3, 4): 7, Product("torch", 2, 3, 4, batch=2): 1}
    assert floor_seconds(seen, lambda: float(next(ticks))) == 13


def test_stages_take_the_clock_that_they_are_given() -> None:
    ticks = iter([0.0, 1.0, 3.0, 7.0])
    stages = Stages(clock=lambda: next(ticks))
    for stage in ("load", "capture", "capture"):
        stages(stage, 1, 2)
    assert dict(stages.seconds) == {"load": 1, "capture": 6}


def test_a_run_that_is_slower_than_the_past_ones_is_seen() -> None:
    past = [other(replay=value) for value in (9.0, 1.0, 1.2, 1.1, 1.3, 1.2)]
    (change,) = compared(NOW, past)
    # The first is too long ago to count.
    assert (change.before, change.runs, change.slower) == (1.2, 5, True)
    assert any("1.25 times, SLOWER" in line for line in described([change]))


@pytest.mark.parametrize(("before", "word"), [(1.4, "as before"), (1.5, "as before"), (1.9, "faster")])
def test_noise_is_not_slower(before: float, word: str) -> None:
    (change,) = compared(NOW, [other(replay=before)])
    assert not change.slower
    assert next(described([change])).endswith(word)


def test_another_machine_is_told() -> None:
    past = [dataclasses.replace(NOW, machine={"hardware": "that"})]
    assert list(described(compared(NOW, past)))[-1].startswith("past runs are of other machines")
    assert not any("other machines" in line for line in described(compared(NOW, [NOW])))


def test_runs_are_read_as_they_were_recorded(tmp_path: Path) -> None:
    file = tmp_path / "trend.jsonl"
    for run in (NOW, dataclasses.replace(NOW, model="another"), NOW):
        run.append_to(file)
    assert read_past(file, "model", needed=True) == [NOW, NOW]


def test_nothing_to_compare_with_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "none.jsonl"
    assert read_past(file, "model", needed=False) == []
    with pytest.raises(InputError, match="no past run of model to compare with; --record adds one"):
        read_past(file, "model", needed=True)


@pytest.mark.parametrize(
    "line", ["", "{", "[]", '{"model": "model"}', json.dumps({**NOW.to_json(), "ratios": {"replay": 0}})]
)
def test_a_line_that_is_no_past_run_is_named(line: str, tmp_path: Path) -> None:
    file = tmp_path / "trend.jsonl"
    NOW.append_to(file)
    with file.open("a", encoding="utf-8") as lines:
        lines.write(f"{line}\n")
    with pytest.raises(InputError, match=r"trend\.jsonl:2: is not a past run; remove the line"):
        read_past(file, "model", needed=False)


def test_the_committed_past_runs_can_be_compared_with() -> None:
    assert read_past(trend.TREND, "random_25m", needed=True)


@pytest.mark.parametrize(("ratio", "status"), [(1.0, 0), (2.0, 1)])
def test_the_matrix_records_and_fails_where_it_is_slower(
    ratio: float, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file, figures = tmp_path / "trend.jsonl", tmp_path / "figures.json"
    other(replay=1.0).append_to(file)
    monkeypatch.setattr(
        matrix, "measure", lambda *_: matrix.Measured({"replay": ratio}, {"replay (CPU s)": 3.0, "model": "model"})
    )
    monkeypatch.setattr(matrix, "MODELS", ("model",))
    options = ("--model", "model", "--trend", str(file), "--compare", "--record", "--json", str(figures))
    monkeypatch.setattr(sys, "argv", ["matrix", *options])
    assert matrix.main() == status
    assert ("SLOWER" in capsys.readouterr().out) == (status == 1)
    written: dict[str, Any] = json.loads(figures.read_text(encoding="utf-8"))
    assert written["ratios"] == {"replay": ratio}
    assert "hardware" in written["machine"]
    assert [each.ratios["replay"] for each in read_past(file, "model", needed=True)] == [1.0, ratio]


def test_the_clock_of_the_matrix_counts_only_its_own_process() -> None:
    assert matrix.CLOCK is time.process_time
