from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.manifests import SCORES, build, group_key, measured

from auto_quantize_model.cases.settings import Band, Tolerances
from auto_quantize_model.comparison.compare import compare
from auto_quantize_model.comparison.differences import ABSENT
from auto_quantize_model.comparison.wording import describe, summary
from auto_quantize_model.manifest.document import check_manifest

if TYPE_CHECKING:
    from collections.abc import Callable

    from auto_quantize_model import Case

TOLERANCES = Tolerances(same_environment=Band(group=0.01, total=0.01))
"""One band on one machine and between versions; `test_bands.py` is of the differences between the bands."""
WITH_FIXTURES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
scores_of_groups = st.lists(st.floats(min_value=1e-12, max_value=1e6), min_size=1, max_size=6)
factors = st.one_of(st.sampled_from([0.0, 1.0, 1 + 1e-6, 1.0099, 1.0101, 1.05, -1.0]), st.floats(0.5, 2.0))


def at(manifest: dict[str, Any], *path: str | int) -> Any:
    value: Any = manifest
    for key in path:
        value = value[key]
    return value


def changed(manifest: dict[str, Any], path: tuple[str | int, ...], value: object) -> dict[str, Any]:
    result = copy.deepcopy(manifest)
    at(result, *path[:-1])[path[-1]] = value
    return result


def scaled(manifest: dict[str, Any], factor: float, index: int = 0, measure: str = "importance") -> dict[str, Any]:
    path = ("layer_sensitivity", group_key(index), measure)
    return changed(manifest, path, at(manifest, *path) * factor)


def test_the_made_up_manifest_is_valid(manifest: dict[str, Any]) -> None:
    check_manifest(manifest)


@WITH_FIXTURES
@given(scores=scores_of_groups)
def test_a_manifest_is_identical_to_itself(case: Case, scores: list[float]) -> None:
    manifest = build(case, scores)
    comparison = compare(manifest, copy.deepcopy(manifest), TOLERANCES)
    assert comparison.verdict == "identical"
    assert (comparison.differences, comparison.circumstances, comparison.worst) == ((), (), None)
    assert comparison.total_ratio == 1.0


@WITH_FIXTURES
@given(scores=scores_of_groups, data=st.data())
def test_the_verdict_does_not_depend_on_which_is_the_baseline(case: Case, scores: list[float], data: Any) -> None:
    old, new = build(case, scores), build(case, scores)
    for index in range(len(scores)):
        entry = new["layer_sensitivity"][group_key(index)]
        for measure in ("importance", "predicted_kl"):
            entry[measure] = data.draw(st.one_of(st.just(entry[measure] * data.draw(factors)), st.none()))
    if data.draw(st.booleans()):
        new["autoquant_state"]["score"] = data.draw(st.one_of(st.none(), st.floats(0, 1e6)))
    if data.draw(st.booleans()):
        del new[data.draw(st.sampled_from(sorted(new)))]
    forth, back = compare(old, new, TOLERANCES), compare(new, old, TOLERANCES)
    assert forth.verdict == back.verdict
    assert {each.key for each in forth.differences} == {each.key for each in back.differences}
    assert forth.drifted_groups == back.drifted_groups


@WITH_FIXTURES
@given(scores=scores_of_groups, noise=st.floats(-1e-6, 1e-6).filter(lambda value: abs(value) > 1e-12))
def test_rounding_is_within_noise(case: Case, scores: list[float], noise: float) -> None:
    manifest = build(case, scores)
    comparison = compare(manifest, build(case, [score * (1 + noise) for score in scores]), TOLERANCES)
    assert comparison.verdict == "within_noise"
    assert comparison.worst is not None


@WITH_FIXTURES
@given(scores=scores_of_groups, data=st.data())
def test_one_group_a_tenth_higher_is_drift_and_named(case: Case, scores: list[float], data: Any) -> None:
    manifest = build(case, scores)
    index = data.draw(st.integers(0, len(scores) - 1))
    measure = data.draw(st.sampled_from(["importance", "predicted_kl"]))
    comparison = compare(manifest, scaled(manifest, 1.1, index, measure), TOLERANCES)
    assert comparison.verdict == "drift"
    assert comparison.worst is not None
    name = group_key(index).removesuffix(".quant_recipe")
    assert (comparison.worst.group, comparison.worst.measure) == (name, measure)
    assert comparison.worst.ratio == pytest.approx(1.1)
    assert comparison.drifted_groups == (name,)
    assert any(name in line and line.endswith("x1.100") for line in describe(comparison))


@pytest.mark.parametrize(("measure", "verdict"), [("importance", "drift"), ("predicted_kl", "within_noise")])
def test_a_predicted_kl_may_move_further_than_a_score(case: Case, measure: str, verdict: str) -> None:
    # As much as another processor was seen to move it, of few captions.
    manifest = build(case, [1.0, 2.0, 3.0])
    assert compare(manifest, scaled(manifest, 1.028, 1, measure), TOLERANCES).verdict == verdict


@pytest.mark.parametrize(
    ("factor", "verdict"),
    [(1.0, "identical"), (1 + 1e-9, "within_noise"), (1.0099, "within_noise"), (1.0102, "drift"), (-1.0, "drift")],
)
@pytest.mark.parametrize("path", [("layer_sensitivity", group_key(0), "importance"), ("autoquant_state", "score")])
def test_the_tolerance_is_where_noise_ends(
    manifest: dict[str, Any], path: tuple[str, ...], factor: float, verdict: str
) -> None:
    other = changed(manifest, path, at(manifest, *path) * factor)
    assert compare(manifest, other, TOLERANCES).verdict == verdict


def test_each_tolerance_is_for_its_own_number(manifest: dict[str, Any]) -> None:
    group = scaled(manifest, 1.05)
    total = changed(manifest, ("autoquant_state", "score"), manifest["autoquant_state"]["score"] * 1.05)
    loose_group = Tolerances(group=0.1, same_environment=Band(group=0.1, total=0.01))
    loose_total = Tolerances(total=0.1, same_environment=Band(group=0.01, total=0.1))
    assert compare(manifest, group, loose_group).verdict == "within_noise"
    assert compare(manifest, group, loose_total).verdict == "drift"
    assert compare(manifest, total, loose_total).verdict == "within_noise"
    assert compare(manifest, total, loose_group).verdict == "drift"
    assert not compare(manifest, total, loose_group).total_within


def test_a_zero_that_becomes_a_number_is_drift_without_a_ratio(manifest: dict[str, Any]) -> None:
    zero = SCORES.index(0.0)
    comparison = compare(
        manifest, changed(manifest, ("layer_sensitivity", group_key(zero), "importance"), 1e-30), TOLERANCES
    )
    assert comparison.verdict == "drift"
    assert comparison.worst is not None
    assert comparison.worst.ratio is None
    assert any(line.endswith("n/a") for line in describe(comparison))


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        (("case", "size"), "large", "case.size"),
        (("scheme", "auto_quantize_bits"), 6.0, "scheme.auto_quantize_bits"),
        (("model", "checkpoint_sha256"), "d" * 64, "model.checkpoint_sha256"),
        (("dataset", "max_calib_samples"), 4, "dataset.max_calib_samples"),
        (("calibration", "captions_sha256"), "d" * 64, "calibration.captions_sha256"),
        (("quantization", "config_sha256"), "d" * 64, "quantization.config_sha256"),
        (
            ("quantization", "config", "quant_cfg", 1, "cfg", "num_bits"),
            [2, 1],
            "quantization.config.quant_cfg[1].cfg.num_bits",
        ),
        (("layer_sensitivity", group_key(1), "costs"), [1.0, 2.0], f"layer_sensitivity.{group_key(1)}.costs"),
        (("layer_sensitivity", group_key(1), "formats"), ["X"], f"layer_sensitivity.{group_key(1)}.formats"),
        (("layer_sensitivity", group_key(1), "modules"), ["x"], f"layer_sensitivity.{group_key(1)}.modules"),
    ],
)
def test_what_went_in_is_named_to_the_leaf_and_makes_incomparable(
    manifest: dict[str, Any], path: tuple[str | int, ...], value: object, key: str
) -> None:
    comparison = compare(manifest, changed(manifest, path, value), TOLERANCES)
    assert comparison.verdict == "incomparable"
    (difference,) = comparison.differences
    assert (difference.key, difference.old, difference.new) == (key, at(manifest, *path), value)
    assert key in summary(comparison)


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        (("num_quantized_layers",), 1, "num_quantized_layers"),
        (("layers", "lm_head", "quantized"), True, "layers.lm_head.quantized"),
        (("autoquant_state", "status"), "infeasible", "autoquant_state.status"),
        (("autoquant_state", "score"), None, "autoquant_state.score"),
        (("layer_sensitivity", group_key(2), "status"), "saturated", f"layer_sensitivity.{group_key(2)}.status"),
        (("layer_sensitivity", group_key(2), "importance"), None, f"layer_sensitivity.{group_key(2)}.importance"),
    ],
)
def test_what_came_out_is_named_and_makes_drift(
    manifest: dict[str, Any], path: tuple[str, ...], value: object, key: str
) -> None:
    comparison = compare(manifest, changed(manifest, path, value), TOLERANCES)
    assert comparison.verdict == "drift"
    assert [each.key for each in comparison.differences] == [key]


def test_a_changed_hash_stands_before_the_many_leaves_behind_it(manifest: dict[str, Any]) -> None:
    other = changed(manifest, ("quantization", "config_sha256"), "d" * 64)
    other["quantization"]["config"]["quant_cfg"] = [{"quantizer_name": f"*{n}", "enable": True} for n in range(9)]
    lines = list(describe(compare(manifest, other, TOLERANCES)))
    assert lines[1] == "  what differs, the most likely cause first:"
    shas = f'"{manifest["quantization"]["config_sha256"][:31]}... -> "{"d" * 31}...'
    assert lines[2] == f"    1. the pair's resolved config: quantization.config_sha256: {shas}"
    assert 'quantization.config.quant_cfg[0].quantizer_name: "*" -> "*0"' in lines[3]
    assert lines[6].startswith("         ... and ")
    assert max(map(len, lines[1:])) < 160


def test_what_went_into_a_group_that_is_not_measured_counts_too(manifest: dict[str, Any]) -> None:
    (name,) = [name for name, entry in manifest["layer_sensitivity"].items() if entry["importance"] is None]
    comparison = compare(manifest, changed(manifest, ("layer_sensitivity", name, "costs"), [1.0]), TOLERANCES)
    assert comparison.verdict == "incomparable"
    assert [each.key for each in comparison.inputs] == [f"layer_sensitivity.{name}.costs"]


def test_true_is_not_one(manifest: dict[str, Any]) -> None:
    assert compare(manifest, changed(manifest, ("scheme", "coverage_fraction"), True), TOLERANCES).differences


@pytest.mark.parametrize("both", [False, True])
def test_a_predicted_kl_that_only_one_engine_gives_is_left_out(manifest: dict[str, Any], *, both: bool) -> None:
    without = copy.deepcopy(manifest)
    for entry in without["layer_sensitivity"].values():
        entry["predicted_kl"] = None
    comparison = compare(without if both else manifest, without, TOLERANCES)
    assert comparison.verdict == "identical"
    assert {change.measure for change in comparison.groups} == {"importance"}


def test_predicted_kls_of_two_schemas_are_not_compared(manifest: dict[str, Any]) -> None:
    """The first version's is another estimate of the same: a factor between them is no drift."""
    first = scaled(manifest, 1.3, 0, "predicted_kl")
    first["schema_version"] = 1
    del first["predicted_kl"], first["calibration"]["probes"]
    comparison = compare(first, manifest, TOLERANCES)
    assert comparison.verdict == "identical"
    lines = list(describe(comparison))
    assert "  not compared, for the schemas' versions estimate it differently: predicted_kl" in lines
    assert any("only one of the two states it: calibration.probes" in line for line in lines)
    first["layer_sensitivity"][group_key(1)]["importance"] *= 1.3
    assert compare(first, manifest, TOLERANCES).verdict == "drift"


def test_a_group_that_only_one_has_is_named(manifest: dict[str, Any]) -> None:
    fewer = copy.deepcopy(manifest)
    del fewer["layer_sensitivity"][group_key(0)]
    comparison = compare(manifest, fewer, TOLERANCES)
    assert comparison.verdict == "incomparable"
    (difference,) = comparison.differences
    assert str(difference) == f"layer_sensitivity.{group_key(0)}: {{...}} -> (absent)"
    assert compare(fewer, manifest, TOLERANCES).differences[0].old is ABSENT


def sections(manifest: dict[str, Any]) -> list[tuple[str, ...]]:
    entry = ("layer_sensitivity", group_key(0))
    return [(key,) for key in manifest] + [(*entry, key) for key in manifest["layer_sensitivity"][group_key(0)]]


def test_no_missing_key_is_a_crash_and_every_one_that_is_compared_is_said(manifest: dict[str, Any]) -> None:
    not_compared = {"environment", "engine", "sensitivity_ranking", "scores", "rank"}
    not_compared |= {"predicted_kl", "stderr", "ci95", "rank_ci95", "tie_band", "split"}
    not_compared |= {"predicted_kl_stderr", "predicted_kl_ci95", "statistics"}
    not_compared |= {"measured", "measured_kl", "measured_kl_ci95"}
    for path in sections(manifest):
        if path == ("schema_version",):
            continue  # then it is an older manifest
        lacking = copy.deepcopy(manifest)
        del at(lacking, *path[:-1])[path[-1]]
        comparison = compare(manifest, lacking, TOLERANCES)
        assert (comparison.verdict == "identical") == (path[-1] in not_compared), path
        assert ("(absent)" in "\n".join(describe(comparison))) == (path[-1] not in not_compared), path


def test_versions_and_devices_decide_nothing_but_are_shown(manifest: dict[str, Any]) -> None:
    other = changed(manifest, ("environment", "torch"), "2.14.0")
    other["engine"]["device"] = "cuda"
    assert compare(manifest, other, TOLERANCES).verdict == "identical"
    lines = list(describe(compare(manifest, scaled(other, 1.05), TOLERANCES)))
    assert lines[1:5] == [
        "  what differs, the most likely cause first:",
        '    1. the torch version: environment.torch: "2.13.0" -> "2.14.0"',
        '    2. the device: engine.device: "cpu" -> "cuda"',
        "  tolerances: 0.02 a group, 0.02 in total (across_devices: one is of cpu, one of cuda)",
    ]


@pytest.mark.parametrize("factor", [1 + 1e-9, 1 - 1e-9])
def test_a_total_that_is_nearly_the_same_is_within_noise_whichever_is_higher(
    manifest: dict[str, Any], factor: float
) -> None:
    other = changed(manifest, ("autoquant_state", "score"), manifest["autoquant_state"]["score"] * factor)
    assert compare(manifest, other, TOLERANCES).verdict == "within_noise"


def test_numbers_too_large_for_a_float_are_compared(manifest: dict[str, Any]) -> None:
    huge = json.loads("1" + "0" * 400)
    comparison = compare(manifest, changed(manifest, ("autoquant_state", "score"), huge), TOLERANCES)
    assert comparison.verdict == "drift"
    assert comparison.total_ratio is None
    # Beyond every float on either side of 0.
    above, zero, below = (changed(manifest, ("autoquant_state", "score"), each) for each in (huge, 0.0, -huge))
    for old, new in ((above, below), (above, zero), (below, zero)):
        assert compare(old, new, TOLERANCES).verdict == "drift"


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_drift(manifest: dict[str, Any], number: float) -> None:
    other = changed(manifest, ("layer_sensitivity", group_key(1), "importance"), number)
    comparison = compare(manifest, scaled(other, 1.05), TOLERANCES)
    assert comparison.verdict == "drift"
    assert comparison.worst is not None
    assert comparison.worst.group == group_key(1).removesuffix(".quant_recipe")
    assert list(describe(comparison))


def test_the_explanation_is_aligned_and_short(case: Case) -> None:
    scores = [1e-5 * (1 + index) for index in range(12)]
    old, new = build(case, scores), build(case, [score * (1.05 + index / 100) for index, score in enumerate(scores)])
    lines = list(describe(compare(old, new, TOLERANCES)))
    assert lines[0] == (
        "drift: the magnitude of 12 groups beyond the tolerance of 0.01 "
        "(model.language_model.layers.11.mlp.gate_proj x1.160), the total beyond the tolerance of 0.01 (x1.123)"
    )
    assert lines[1:4] == [
        "  nothing that both manifests state differs: the code does, or one of them was edited",
        "  tolerances: 0.01 a group, 0.01 in total (same_environment: the same versions on the same processor)",
        "  total score: 7.8000e-04 -> 8.7620e-04 (x1.123, tolerance 0.01)",
    ]
    header, *rows, rest = lines[4:]
    assert header.split() == ["group", "measure", "old", "new", "ratio"]
    assert len(rows) == 5
    assert rest == "  ... and 7 more"
    assert rows[0].split()[-3:] == ["1.2000e-04", "1.3920e-04", "x1.160"]
    assert {row.index("importance") if "importance" in row else row.index("predicted_kl") for row in rows} == {
        header.index("measure")
    }


@pytest.mark.parametrize("explained", [lambda m: m, lambda m: scaled(m, 1 + 1e-7)], ids=["identical", "within_noise"])
def test_agreement_is_said_in_a_line(
    manifest: dict[str, Any], explained: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    comparison = compare(manifest, explained(manifest), TOLERANCES)
    assert next(describe(comparison)) == summary(comparison)
    assert summary(comparison).startswith(f"{comparison.verdict}: ")


def test_scores_are_guarded_whether_or_not_both_were_measured_alike(manifest: dict[str, Any]) -> None:
    old = measured(copy.deepcopy(manifest))
    for new in (manifest, measured(copy.deepcopy(manifest), 0.02, captions="d" * 64), old):
        for measure in ("importance", "predicted_kl"):
            comparison = compare(old, scaled(new, 1.3, 0, measure), TOLERANCES)
            assert comparison.verdict == "drift"
            assert {change.measure for change in comparison.moved} == {measure}


def test_a_measured_kl_is_guarded_where_both_have_it(manifest: dict[str, Any]) -> None:
    old = measured(copy.deepcopy(manifest))
    for new in (old, manifest, measured(copy.deepcopy(manifest), 0.02, captions="d" * 64)):
        assert compare(old, new, TOLERANCES).verdict == "identical"
    comparison = compare(old, measured(copy.deepcopy(manifest), 0.0103), TOLERANCES)
    assert comparison.verdict == "drift"
    assert {change.group for change in comparison.moved} == {
        "all quantized groups",
        group_key(0).removesuffix(".quant_recipe"),
    }
    assert {change.measure for change in comparison.moved} == {"measured_kl"}
    assert any("all quantized groups" in line for line in describe(comparison))
    assert compare(old, measured(copy.deepcopy(manifest), 0.0101), TOLERANCES).verdict == "within_noise"
