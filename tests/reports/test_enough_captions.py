from __future__ import annotations

from typing import Any

import pytest

from auto_quantize_model.reports.enough_captions import answer, lines

NAMES = ["model.layers.0.mlp.down_proj", "model.layers.1.mlp.down_proj"]


def statistics(**top: Any) -> dict[str, Any]:
    off = {"median": 0.0123, "maximum": 0.2}
    nothing = {"median": 0.0, "maximum": 0.0}
    return {
        "level": 0.95,
        "resamples": 1000,
        "samples": 16,
        "convergence": [
            {"samples": 8, "score": off, "predicted_kl": None, "spearman": None, "top_ten_kept": 9},
            {"samples": 16, "score": nothing, "predicted_kl": off, "spearman": 1.0, "top_ten_kept": 10},
        ],
        "top_ten": {"settled": False, "captions_needed": 40, "between": NAMES, "reason": None, **top},
    }


@pytest.mark.parametrize(
    ("top", "sentence"),
    [
        (
            {},
            "No: 16 captions do not settle the ten most sensitive groups at 95 %; the order of "
            f"`{NAMES[0]}` and `{NAMES[1]}` is the last that more would settle (`autoquant.score_size`, and a larger "
            "size of the dataset).",
        ),
        (
            {"settled": True, "captions_needed": 9},
            "Yes: 16 captions settle the ten most sensitive groups at 95 %.",
        ),
        (
            {"settled": True, "captions_needed": 16},
            "Yes: 16 captions settle the ten most sensitive groups at 95 %.",
        ),
        (
            {"captions_needed": None, "reason": "a group inside and one outside have the same score"},
            f"No, and no number of captions is known to do so: `{NAMES[0]}` is among the ten most sensitive groups and "
            f"`{NAMES[1]}` is not, but they have the same score.",
        ),
        (
            {"settled": True, "captions_needed": None, "between": None, "reason": "there are no more than ten groups"},
            "Yes: there are no more than ten groups, so every group is among the ten most sensitive.",
        ),
    ],
)
def test_the_answer_is_one_sentence(top: dict[str, Any], sentence: str) -> None:
    assert answer(statistics(**top)) == sentence


def test_the_table_has_a_row_for_every_prefix() -> None:
    text = list(lines(statistics(), []))
    assert [line for line in text if line.startswith(("## ", "<summary>"))] == [
        "## Were the captions enough?",
        "<summary>How the scores settled</summary>",
    ]
    header, rule, *rows = [line.split(" | ") for line in text if " | " in line]
    assert len(header) == len(rule) == 5
    assert rows == [
        ["8", "1.2 % / 20.0 %", "n/a", "n/a", "9"],
        ["16", "0.0 % / 0.0 %", "1.2 % / 20.0 %", "1.0000", "10"],
    ]
    assert not any(line.startswith("|") for line in text)


def row(name: str, share: float | None) -> dict[str, Any]:
    return {"layer": name, "stderr": 1.0, "calibration_stderr": share}


def test_what_depends_on_the_calibration_is_named() -> None:
    rows = [row(NAMES[0], 0.8), row(NAMES[1], 0.6), {"layer": "lm_head", "stderr": None}]
    (said,) = [line for line in lines(statistics(), rows) if line.startswith("No: 16 captions")]
    assert said.endswith(
        "The scores of 1 of 2 groups depend more on the captions that inputs are calibrated on than on those that are "
        f"scored: a larger size of the dataset calibrates on more. They are `{NAMES[0]}`."
    )


def test_what_is_not_known_of_the_calibration_is_said() -> None:
    rows = [row(NAMES[0], None), row(NAMES[1], 0.0)]
    (said,) = [line for line in lines(statistics(), rows) if line.startswith("No: 16 captions")]
    assert said.endswith(
        "It is not known how much the scores of 1 of 2 groups depend on the captions that inputs are calibrated on."
    )


def test_weights_alone_have_no_calibration_to_speak_of() -> None:
    assert answer(statistics()) in list(lines(statistics(), [{"layer": NAMES[0], "stderr": 1.0}]))
