from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest

from auto_quantize_model.cases.settings import Tolerances
from auto_quantize_model.comparison.compare import compare
from auto_quantize_model.comparison.wording import describe, summary

Change = tuple[str, object]

CONFIG: list[Change] = [("quantization.config_sha256", "d" * 64), ("quantization.config.algorithm", "awq")]
CHECKPOINT: list[Change] = [("model.checkpoint_sha256", "d" * 64)]
CAPTIONS: list[Change] = [
    ("calibration.captions_sha256", "d" * 64),
    ("dataset.captions", "others.txt"),
    ("calibration.scored_tokens", 300),
    ("calibration.loss_tokens", 284),
]
FEWER: list[Change] = [
    ("calibration.calibrated_samples", 8),
    ("calibration.scored_samples", 8),
    ("calibration.captions_sha256", "e" * 64),
    ("calibration.scored_tokens", 100),
    ("dataset.max_calib_samples", 8),
]
LARGER: list[Change] = [
    ("case.id", "qwen3_vl_tiny-wfp8_afp8-medium"),
    ("case.size", "medium"),
    ("dataset.captions", "embedded_captions_medium.txt"),
    ("calibration.captions_sha256", "e" * 64),
    ("calibration.calibrated_samples", 128),
]

ONE_EACH: dict[str, list[Change]] = {
    "the pair's resolved config": CONFIG,
    "the checkpoint": CHECKPOINT,
    "the captions": CAPTIONS,
    "the sample counts": FEWER,
    "the loss": [("scheme.auto_quantize_method", "kl_div")],
    "the batch size": [("calibration.batch_size", 4)],
    "the sequence length": [("dataset.seq_len", 64), ("calibration.scored_tokens", 100)],
    "the padding": [("dataset.padding_side", "right")],
    "the tokenization": [("calibration.scored_tokens", 300), ("calibration.loss_tokens", 284)],
    "the bit budget": [("scheme.auto_quantize_bits", 6.0)],
    "the layers that it covers": [("scheme.coverage_mode", "all")],
    "the ModelOpt version": [("environment.modelopt", "0.48.0")],
    "the torch version": [("environment.torch", "2.14.0")],
    "the transformers version": [("environment.transformers", "5.15.0")],
    "the device": [("engine.device", "cuda"), ("environment.hardware", "a GPU")],
    "the dtype": [("engine.dtype", "bfloat16"), ("engine.difference_dtype", "bfloat16")],
    "the precision of replay's products": [
        ("engine.replay_precision", "tensor_core"),
        ("engine.operand_dtype", "tf32"),
    ],
    "the engine": [("engine.name", "modelopt"), ("engine.kernels.weight", "modelopt triton")],
    "the system": [("environment.python", "3.13.0")],
}
"""What each cause changes in a manifest, in the order in which causes are named."""

DECIDING = list(ONE_EACH)[:11]


def changed(manifest: dict[str, Any], changes: list[Change]) -> dict[str, Any]:
    result = copy.deepcopy(manifest)
    for key, value in changes:
        *path, last = key.split(".")
        inner = result
        for part in path:
            inner = inner[part]
        inner[last] = value
    return result


def named(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [cause.what for cause in compare(old, new, Tolerances()).causes]


@pytest.mark.parametrize("what", ONE_EACH)
def test_one_cause_is_named_and_no_other(manifest: dict[str, Any], what: str) -> None:
    other = changed(manifest, ONE_EACH[what])
    assert named(manifest, other) == named(other, manifest) == [what]
    comparison = compare(manifest, other, Tolerances())
    assert (comparison.verdict == "incomparable") == (what in DECIDING)
    if what in DECIDING:
        assert what in summary(comparison)
        key, value = ONE_EACH[what][0]
        assert key in summary(comparison)
        assert str(value)[:12] in summary(comparison)


def test_the_most_likely_cause_is_named_first(manifest: dict[str, Any]) -> None:
    order = list(ONE_EACH)
    for one, other in itertools.pairwise(order):
        both = changed(manifest, [*ONE_EACH[other], *ONE_EACH[one]])
        assert named(manifest, both) == [one, other]


@pytest.mark.parametrize("count", [1, 3, 4, 6])
def test_a_summary_names_three_causes_and_counts_the_others(manifest: dict[str, Any], count: int) -> None:
    chosen = DECIDING[:count]
    said = summary(
        compare(manifest, changed(manifest, [each for what in chosen for each in ONE_EACH[what]]), Tolerances())
    )
    assert [what in said for what in chosen] == [number < 3 for number in range(count)]
    assert said.endswith(f"; and {count - 3} more") if count > 3 else "more" not in said


def test_a_larger_size_is_more_samples_and_not_other_captions(manifest: dict[str, Any]) -> None:
    assert named(manifest, changed(manifest, LARGER)) == ["the sample counts"]


def test_fewer_that_are_scored_are_no_reason_for_other_captions(manifest: dict[str, Any]) -> None:
    other = changed(manifest, [("calibration.scored_samples", 1), ("calibration.captions_sha256", "e" * 64)])
    assert named(manifest, other) == ["the captions", "the sample counts"]


def test_other_captions_are_named_beside_other_counts(manifest: dict[str, Any]) -> None:
    assert named(manifest, changed(manifest, [*FEWER, *CAPTIONS])) == ["the captions", "the sample counts"]


def test_a_drift_numbers_its_causes_and_shows_both_values(manifest: dict[str, Any]) -> None:
    other = changed(manifest, [*ONE_EACH["the dtype"], ("environment.torch", "2.14.0")])
    for entry in other["layer_sensitivity"].values():
        entry["importance"] = entry["importance"] and entry["importance"] * 1.2
    lines = list(describe(compare(manifest, other, Tolerances())))
    assert lines[0].startswith("drift: ")
    assert lines[2:5] == [
        '    1. the torch version: environment.torch: "2.13.0" -> "2.14.0"',
        '    2. the dtype: engine.dtype: "float32" -> "bfloat16"',
        '         engine.difference_dtype: "float32" -> "bfloat16"',
    ]


def test_of_a_cause_with_many_differences_a_few_are_shown(manifest: dict[str, Any]) -> None:
    for count, rest in ((4, []), (5, ["         ... and 1 more"]), (9, ["         ... and 5 more"])):
        keys = [f"engine.kernels.k{number}" for number in range(count)]
        other = changed(manifest, [*((key, "x") for key in keys), ("autoquant_state.score", 1.0)])
        lines = list(describe(compare(manifest, other, Tolerances())))
        first = lines.index(f'    1. the engine: {keys[0]}: (absent) -> "x"')
        shown = [f'         {key}: (absent) -> "x"' for key in keys[1:4]]
        assert lines[first + 1 : first + 5 - (not rest)] == [*shown, *rest]


def test_a_drift_without_a_cause_says_so(manifest: dict[str, Any]) -> None:
    other = changed(manifest, [("autoquant_state.score", 1.0)])
    assert "  nothing that both manifests state differs: the code does, or one of them was edited" in list(
        describe(compare(manifest, other, Tolerances()))
    )
