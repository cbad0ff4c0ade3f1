"""Batches that run together: everything comes out as batch by batch, and who may not is kept apart."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from tests.places import SUITE
from tests.small_models import build_qwen3, build_qwen3_moe

from auto_quantize_model import CaptureSettings, load_suite, run_cases
from auto_quantize_model.checkpoints.opening import open_checkpoint
from auto_quantize_model.engine import execution, loaded_pass
from auto_quantize_model.engine.capture import units
from auto_quantize_model.engine.capture.batches import tokenize
from auto_quantize_model.engine.capture.captured import capture
from auto_quantize_model.engine.capture.groups import find_groups
from auto_quantize_model.engine.capture.recording import Recorder
from auto_quantize_model.engine.capture.units import may_join, run_together
from auto_quantize_model.engine.memory import has_room, predict
from auto_quantize_model.errors import NotCoveredError
from auto_quantize_model.families import load_model
from auto_quantize_model.plan import plan_passes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from auto_quantize_model import CaseResult, Suite
    from auto_quantize_model.families.loaded import LoadedModel

PAIRS = "wfp4_afp4 or wfp8_afp8 or wint8_aint8 or wmxfp4_afp8"
CPU = torch.device("cpu")


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many batches each run of the model took."""
    seen: list[int] = []
    real = Recorder.record

    def counted(self: Recorder, batches: Sequence[Any], *, scoring: bool) -> Any:
        seen.append(len(batches))
        return real(self, batches, scoring=scoring)

    monkeypatch.setattr(Recorder, "record", counted)
    return seen


def suite_of(name: str, tmp_path: Path, *overrides: str) -> Suite:
    if name == "qwen3_vl_tiny":
        return load_suite(SUITE, overrides=[f"suite.models=[{name}]", *overrides])
    {"qwen3": build_qwen3, "qwen3_moe": build_qwen3_moe}[name](tmp_path / name / "checkpoint")
    (tmp_path / name / "model.yaml").write_text("family: causal_lm\ndtype: float32\n", encoding="utf-8")
    return load_suite(SUITE, models_root=tmp_path, overrides=[f"suite.models=[{name}]", *overrides])


def loaded(suite: Suite) -> LoadedModel:
    case = suite.cases[0]
    return load_model(case.model, open_checkpoint(case.checkpoint), CPU)


def one_by_one(suite: Suite, expression: str, patch: pytest.MonkeyPatch, **options: Any) -> list[CaseResult]:
    with patch.context() as apart:
        apart.setattr(loaded_pass, "may_join", lambda *_, **__: "none")
        return list(run_cases(suite.select(expression), device="cpu", **options))


def numbers(result: CaseResult) -> dict[str, np.ndarray[Any, Any]]:
    """Scores, their parts by caption, and every interval."""
    assert result.scores is not None, result.error
    assert result.manifest is not None
    groups = [group for group in result.scores.groups if group.sample_scores is not None]
    entries = [entry for entry in result.manifest["layer_sensitivity"].values() if entry["status"] == "scored"]
    return {
        "scores": np.array([group.score for group in groups]),
        "predicted_kl": np.array([group.predicted_kl for group in groups]),
        "by caption": np.concatenate([group.sample_scores for group in groups if group.sample_scores is not None]),
        "intervals": np.array([entry["ci95"] for entry in entries]),
        "ranks": np.array([entry["rank_ci95"] for entry in entries]),
    }


@pytest.mark.parametrize("model", ["qwen3_vl_tiny", "qwen3", "qwen3_moe"])
def test_scores_and_intervals_are_those_of_batch_by_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs: list[int], model: str
) -> None:
    suite = suite_of(model, tmp_path)
    expected = one_by_one(suite, PAIRS, monkeypatch)
    assert set(runs) == {1}
    runs.clear()
    found = list(run_cases(suite.select(PAIRS), device="cpu"))
    assert sum(runs) == 64
    assert len(runs) < 40
    for mine, theirs in zip(found, expected, strict=True):
        others = numbers(theirs)
        for name, values in numbers(mine).items():
            np.testing.assert_allclose(values, others[name], rtol=1e-6, err_msg=f"{mine.case.id}: {name}")


@pytest.mark.parametrize("model", ["qwen3_vl_tiny", "qwen3"])
def test_every_batch_keeps_its_own_maxima_rows_and_gradients(tmp_path: Path, model: str) -> None:
    suite = suite_of(model, tmp_path, "dataset.size_to_max_samples={small: 13, medium: 128, large: 200}")
    (plan,) = plan_passes(suite.select("wfp8_afp8"))
    its_model = loaded(suite)
    layout, batches = find_groups(its_model), tokenize(plan, its_model)
    apart = capture(its_model, layout, batches, plan.scored, plan.probes)
    beside = capture(
        its_model, layout, batches, plan.scored, plan.probes, units=run_together(plan, batches, its_model, "all")
    )
    np.testing.assert_allclose(beside.maxima(), apart.maxima(), rtol=1e-6)
    for group in layout.groups:
        mine, theirs = beside.take(group), apart.take(group)
        for values, others in zip(mine.inputs, theirs.inputs, strict=True):
            assert torch.allclose(values, others, rtol=0, atol=1e-5 * float(others.abs().max()))
        for name in group.members:
            for kinds, other_kinds in zip(mine.gradients[name], theirs.gradients[name], strict=True):
                for values, others in zip(kinds, other_kinds, strict=True):
                    assert torch.allclose(values, others, rtol=0, atol=1e-5 * float(others.abs().max()))


def test_units_are_of_one_length_and_purpose_and_of_no_two_sizes(tmp_path: Path) -> None:
    suite = suite_of("qwen3", tmp_path, "dataset.size_to_max_samples={small: 13, medium: 64, large: 512}")
    its_model = loaded(suite)
    of_sizes = {}
    for expression in ("wfp8_afp8", "wfp8_afp8 and small", "wfp8_afp8 and medium"):
        (plan,) = plan_passes(suite.select(expression))
        batches = tokenize(plan, its_model)
        found = run_together(plan, batches, its_model, "all")
        assert sorted(itertools.chain(*found)) == list(range(len(batches)))
        for unit in found:
            assert len({batches[index].input_ids.shape[1] for index in unit}) == 1
            assert len({index in plan.scored for index in unit}) == 1
            positions = sum(batches[index].input_ids.numel() for index in unit)
            assert len(unit) == 1 or positions <= units.POSITIONS["cpu"]
        of_sizes[expression] = {tuple(plan.batches[index] for index in unit) for unit in found}
    whole = of_sizes.pop("wfp8_afp8")
    assert max(map(len, whole)) > 1
    assert of_sizes["wfp8_afp8 and small"] < whole, "a size that runs alone is captured as it is beside larger ones"


def test_a_large_vocabulary_joins_fewer_batches_that_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = suite_of("qwen3", tmp_path)
    (plan,) = plan_passes(suite.select("wfp8_afp8"))
    its_model = loaded(suite)
    batches = tokenize(plan, its_model)
    monkeypatch.setitem(units.LOGITS, "cpu", 1)
    found = run_together(plan, batches, its_model, "all")
    assert {len(unit) for unit in found if unit[0] in plan.scored} == {1}
    assert max(len(unit) for unit in found) > 1


def test_who_is_recorded_as_a_whole_and_who_rounds_coarsely_runs_batch_by_batch(tmp_path: Path) -> None:
    suite = suite_of("qwen3", tmp_path)
    its_model = loaded(suite)
    layout = find_groups(its_model)
    assert may_join(its_model, layout, calls=False) == "all"
    assert may_join(its_model, layout, calls=True) == "none"
    half = loaded(suite_of("qwen3", tmp_path / "half", "model.dtype=bfloat16"))
    assert may_join(half, find_groups(half), calls=False) == "none"
    experts = loaded(suite_of("qwen3_moe", tmp_path))
    assert may_join(experts, find_groups(experts), calls=False) == "calibrating"


def test_a_model_whose_rows_see_each_other_is_noticed_and_runs_batch_by_batch(
    monkeypatch: pytest.MonkeyPatch, llama_suite: Callable[..., Suite], tmp_path: Path, runs: list[int]
) -> None:
    real: Callable[..., LoadedModel] = vars(execution)["load_model"]

    def with_a_norm_over_the_batch(*arguments: Any) -> LoadedModel:
        its_model = real(*arguments)
        its_model.model.model.layers[0].mlp.register_forward_hook(
            lambda _module, _inputs, output: output / (1 + output.detach().abs().amax())
        )
        return its_model

    monkeypatch.setattr(execution, "load_model", with_a_norm_over_the_batch)
    expected = one_by_one(llama_suite(), "wint8_aint8", monkeypatch)
    runs.clear()
    lines: list[str] = []
    captures = CaptureSettings(keep=True, folder=tmp_path)
    found = list(run_cases(llama_suite().select("wint8_aint8"), device="cpu", notice=lines.append, captures=captures))
    assert [each.manifest for each in found] == [each.manifest for each in expected]
    assert sum("they run one by one" in line for line in lines) == 1
    assert runs.count(1) >= 64
    assert len(list(tmp_path.glob("*/*.safetensors"))) <= 64 + 2, "nothing of what ran together is kept"


def test_batches_run_apart_where_memory_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = suite_of("qwen3", tmp_path)
    (plan,) = plan_passes(suite.select("wfp8_afp8"))
    its_model = loaded(suite)
    layout, batches = find_groups(its_model), tokenize(plan, its_model)
    together = predict(its_model, layout, batches, plan, 1, units=run_together(plan, batches, its_model, "all"))
    apart = predict(its_model, layout, batches, plan, 1)
    assert together.capture > apart.capture
    assert together.captured == apart.captured
    monkeypatch.setattr("auto_quantize_model.engine.memory.free_host_memory", lambda: 8 * together.capture)
    assert has_room(together, [CPU])
    assert not has_room(together, [CPU], processes=4)


def test_a_head_that_mixes_tokens_is_refused(llama_suite: Callable[..., Suite]) -> None:
    suite = llama_suite()
    (plan,) = plan_passes(suite.select("wfp8_afp8 and small"))
    its_model = loaded(suite)
    its_model.model.lm_head.register_forward_hook(lambda _module, _inputs, output: output[:, :1])
    with pytest.raises(NotCoveredError, match="does not give logits for each token by itself"):
        capture(its_model, find_groups(its_model), tokenize(plan, its_model), plan.scored, plan.probes)
