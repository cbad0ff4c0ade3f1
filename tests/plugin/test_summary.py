from __future__ import annotations

import dataclasses

from auto_quantize_model.summary.learned import learned
from auto_quantize_model.summary.record import Record

HOSTILE = "a|b\n<script>alert(1)</script>\x1b[31m"
MORE = "--sensitivity-verbose"


def record(pair: str, size: str = "small", kl: float = 1e-3, **values: object) -> Record:
    made = Record(case=f"m-{pair}-{size}", model="m", pair=pair, size=size, suite="s", verdict="identical")
    made.total_predicted_kl, made.bits, made.costliest = kl, 8.0, ["layer 0 down"]
    return dataclasses.replace(made, **values)  # type: ignore[arg-type]


def lines(*records: Record, blocks: bool = True) -> list[str]:
    return list(learned(records, MORE, blocks=blocks))


def test_a_line_a_pair_has_its_cost_its_bits_and_what_to_protect() -> None:
    header, first, second, *_ = lines(record("a", kl=1e-3), record("b", kl=4e-6))
    assert header.split() == ["case", "verdict", "bits", "KL", "costliest", "first"]
    assert first.split() == ["m-a-small", "identical", "8", "1.0m", "█" * 12, "layer", "0", "down"]
    assert second.split() == ["m-b-small", "identical", "8", "4.0µ", "█", "layer", "0", "down"]
    assert "####" in lines(record("a"), record("b", kl=4e-6), blocks=False)[1]


def test_sizes_that_came_to_the_same_share_a_line_and_others_do_not() -> None:
    shown = lines(record("a", "small"), record("a", "medium", kl=2e-3), record("a", "large", verdict="failed"))
    assert [line.split()[:2] for line in shown[1:3]] == [["m-a", "small+medium"], ["m-a-large", "failed"]]


def test_what_moved_has_columns_only_where_something_moved() -> None:
    drifted = record("b", verdict="drift", worst_group="layers.0.mlp", worst_ratio=1.5, total_ratio=1.25)
    assert "moved most" not in "\n".join(lines(record("a")))
    text = "\n".join(lines(record("a"), drifted))
    assert "moved most" in text
    assert "x1.2500  x1.5000 layers.0.mlp" in text


def test_below_stands_what_it_means_and_what_to_do() -> None:
    text = "\n".join(lines(record("a"), record("b", kl=4e-6), record("c", bits=4.0, measured_kl=2e-2)))
    assert "measured where it was asked for, else predicted" in text
    assert "m: cheapest b at 8 bits (4.0 micronats)" in text
    assert "m: protect first layer 0 down (3 of 3 pairs)" in text
    assert text.endswith(f"{MORE} shows scores, ratios and times of every case")


def test_why_two_sizes_show_the_same_is_said_when_they_do() -> None:
    same = "\n".join(lines(record("a", "medium"), record("a", "large")))
    assert "two sizes show the same KL for a" in same
    assert "the same KL" not in "\n".join(lines(record("a", "medium"), record("a", "large", kl=1.1e-3)))


def test_a_case_without_numbers_has_none() -> None:
    _, row, *rest = lines(record("a", kl=None, bits=None, costliest=[], verdict="failed"))  # type: ignore[arg-type]
    assert row.split() == ["m-a-small", "failed", "-", "-", "-"]
    assert len(rest) == 1
    assert lines() == []


def test_no_name_moves_the_cursor() -> None:
    assert all(line.isprintable() for line in lines(record(HOSTILE, costliest=[HOSTILE])) if "protect" not in line)
