"""Measured KL: really quantized, against plain forward passes and against ModelOpt's own measurement."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import modelopt.torch.quantization as mtq
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.plain_kl import measure_kl
from tests.places import ROOT, SUITE
from tests.small_models import build_llama

from auto_quantize_model import load_suite, run_cases
from auto_quantize_model.checkpoints.opening import open_checkpoint
from auto_quantize_model.engine.capture.batches import tokenize
from auto_quantize_model.engine.capture.groups import find_groups
from auto_quantize_model.engine.measurement import blocks, measure
from auto_quantize_model.engine.measurement.captions import EqualCaptions, caption_tokens
from auto_quantize_model.engine.measurement.divergence import Before
from auto_quantize_model.engine.measurement.quantizing import Quantized
from auto_quantize_model.errors import InputError
from auto_quantize_model.families import load_model
from auto_quantize_model.measuring import Scope, parse_scope
from auto_quantize_model.plan import plan_passes
from auto_quantize_model.precision.capability import check_format
from auto_quantize_model.precision.formats import resolve_format
from auto_quantize_model.precision.quantizers import modelopt_config

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auto_quantize_model import Case, CaseResult, Suite

CPU = torch.device("cpu")
CAPTIONS_FILE = ROOT / "sensitivity_cases" / "data" / "embedded_captions_large.txt"
SIZES = "dataset.size_to_max_samples={small: 8, medium: 24, large: 24}"
TINY = load_suite(SUITE, overrides=["suite.models=[qwen3_vl_tiny]", SIZES])


def measured(expression: str, scope: str = "cases", suite: Suite = TINY, **named: Any) -> list[CaseResult]:
    results = list(run_cases(suite.select(expression), device="cpu", measure=scope, **named))
    assert not [result.error for result in results if result.error]
    return results


def kl_of(result: CaseResult) -> list[float]:
    """That of the whole, then that of every group."""
    assert result.manifest is not None
    entries = result.manifest["layer_sensitivity"].values()
    return [result.manifest["measured"]["kl"], *(e["measured_kl"] for e in entries if e["status"] == "scored")]


@pytest.mark.parametrize("pair", ["wfp8_afp8", "wfp4_afp16"])
def test_it_is_what_plain_forward_passes_give(pair: str) -> None:
    (result,) = measured(f"{pair} and small", "all")
    assert result.scores is not None
    groups = [score.group.members for score in result.scores.groups]
    *alone, whole = measure_kl(result.case, [*([each] for each in groups), groups])
    assert len(alone) == 32
    assert kl_of(result) == pytest.approx([whole, *alone], rel=5e-3)


def test_it_is_what_modelopt_measures(llama_suite: Callable[..., Suite]) -> None:
    suite = llama_suite("dataset.size_to_max_samples.small=12", "autoquant.batch_size=5")
    (result,) = measured("wint8_aint8 and small", "all", suite)
    assert result.scores is not None
    assert result.manifest is not None
    theirs = modelopt_kl(result.case)
    mine = {score.group.name: score.measured for score in result.scores.groups}
    assert len(theirs) == len(mine) == 8
    for name, value in theirs.items():
        its = mine[name]
        assert its is not None
        # ModelOpt's logarithms are float32, and leave some noise in each token.
        assert its.kl.sum() == pytest.approx(value, rel=5e-3, abs=1e-6 * its.tokens.sum())


def modelopt_kl(case: Case) -> dict[str, float]:
    """ModelOpt's `kl_div` on the same tokens, without the padding, added up over them."""
    (plan,) = plan_passes([case])
    loaded = load_model(case.model, open_checkpoint(case.checkpoint), CPU)
    batches = tokenize(plan, loaded)
    with contextlib.redirect_stdout(None):
        _, state = mtq.auto_quantize(
            loaded.model,
            constraints={"effective_bits": 16.0},
            quantization_formats=[modelopt_config(resolve_format(case.pair.format), CPU)],
            data_loader=batches,
            forward_step=lambda model, batch: model(**batch.inputs).logits[batch.counted],
            num_calib_steps=len(batches),
            num_score_steps=len(batches),
            disabled_layers=loaded.disabled_layers(),
            method="kl_div",
        )
    stats = state["candidate_stats"]
    return {
        name.removesuffix(".quant_recipe"): float(each["scores"][0])
        for name, each in stats.items()
        if len(each["formats"]) > 1
    }


def test_the_loss_and_the_first_choices_are_those_of_the_quantized_model(monkeypatch: pytest.MonkeyPatch) -> None:
    # Other products flip single roundings, which the loss feels to first order.
    monkeypatch.setattr(blocks, "product", torch.nn.functional.linear)
    (result,) = measured("wint8_aint8 and small")
    assert result.scores is not None
    assert result.scores.measured is not None
    assert result.manifest is not None
    case = result.case
    (plan,) = plan_passes([case])
    loaded = load_model(case.model, open_checkpoint(case.checkpoint), CPU)
    batches = tokenize(plan, loaded)
    with torch.inference_mode():
        before = [loaded.model(**batch.inputs).logits[batch.counted].double() for batch in batches]
        mtq.quantize(
            loaded.model,
            {"quant_cfg": quantized_in_scope(case, loaded.disabled_layers()), "algorithm": "max"},
            lambda model: [model(**batch.inputs) for batch in batches],
        )
        after = [loaded.model(**batch.inputs).logits[batch.counted].double() for batch in batches]
    targets = torch.cat([batch.input_ids[:, 1:][batch.counted[:, :-1]] for batch in batches])
    losses = [torch.nn.functional.cross_entropy(torch.cat(each), targets) for each in (before, after)]
    same = (torch.cat(before).argmax(dim=-1) == torch.cat(after).argmax(dim=-1)).double().mean()
    entry = result.manifest["measured"]
    assert entry["loss_change"] == pytest.approx(float(losses[1] - losses[0]), abs=2e-6)
    assert entry["top1_agreement"] == pytest.approx(float(same), abs=1e-9)
    assert entry["loss_change_ci95"][0] < entry["loss_change"] < entry["loss_change_ci95"][1]
    assert entry["captions"]["loss_tokens"] == len(targets)


def quantized_in_scope(case: Case, disabled: list[str]) -> list[dict[str, Any]]:
    config = modelopt_config(resolve_format(case.pair.format), CPU)["quant_cfg"]
    return [*config, *({"quantizer_name": f"{name}*", "enable": False} for name in disabled)]


def test_a_size_has_the_same_alone_and_beside_a_larger_one() -> None:
    (alone,) = measured("wint8_afp16 and small")
    beside, larger = measured("wint8_afp16 and (small or medium)")
    assert kl_of(beside)[0] == pytest.approx(kl_of(alone)[0], rel=1e-3)
    assert alone.manifest is not None
    assert beside.manifest is not None
    assert larger.manifest is not None
    assert beside.manifest["measured"]["captions"] == alone.manifest["measured"]["captions"]
    assert larger.manifest["measured"]["captions"]["samples"] == 24


def test_nothing_depends_on_how_much_runs_at_once(
    monkeypatch: pytest.MonkeyPatch, llama_suite: Callable[..., Suite]
) -> None:
    suite = llama_suite("dataset.size_to_max_samples.small=9")
    (usual,) = measured("wfp8_afp8 and small", "all", suite)
    monkeypatch.setitem(measure.TOKENS_AT_ONCE, "cpu", 20)
    monkeypatch.setitem(measure.LOGITS_AT_ONCE, "cpu", 1)
    monkeypatch.setattr(measure, "LOGITS_BYTES", 1)
    monkeypatch.setattr(measure, "STATES_BYTES", 1)
    (few,) = measured("wfp8_afp8 and small", "all", suite)
    assert kl_of(few) == pytest.approx(kl_of(usual), rel=1e-3)


def test_on_captions_of_a_file_of_their_own(tmp_path: Path, llama_suite: Callable[..., Suite]) -> None:
    suite = llama_suite("dataset.size_to_max_samples.small=12")
    (usual,) = measured("wfp8_afp8 and small", suite=suite)
    lines = CAPTIONS_FILE.read_text(encoding="utf-8").splitlines()
    (tmp_path / "same.txt").write_text("\n".join(lines[:12]), encoding="utf-8")
    (tmp_path / "others.txt").write_text("\n".join(lines[-7:]), encoding="utf-8")
    (same,) = measured("wfp8_afp8 and small", suite=suite, measure_on=tmp_path / "same.txt")
    (others,) = measured("wfp8_afp8 and small", suite=suite, measure_on=tmp_path / "others.txt")
    assert usual.manifest is not None
    assert same.manifest is not None
    assert others.manifest is not None
    mine, its, of_others = (each["measured"]["captions"] for each in (usual.manifest, same.manifest, others.manifest))
    assert kl_of(same) == kl_of(usual)
    assert its == {**mine, "file": "same.txt"}
    assert (of_others["file"], of_others["samples"]) == ("others.txt", 7)
    assert of_others["sha256"] != mine["sha256"]


def test_the_most_sensitive_groups_and_those_that_may_be() -> None:
    (result,) = measured("wint8_aint8 and small", "top:3")
    assert result.manifest is not None
    entries = [entry for entry in result.manifest["layer_sensitivity"].values() if entry["rank"] is not None]
    band = min(entry["tie_band"] for entry in entries if entry["rank"] > len(entries) - 3)
    alone = {entry["rank"] for entry in entries if entry["measured_kl"] is not None}
    assert alone == {entry["rank"] for entry in entries if entry["tie_band"] >= band}
    assert 3 <= len(alone) < len(entries)
    for entry in entries:
        if entry["measured_kl"] is not None:
            low, high = entry["measured_kl_ci95"]
            assert low < entry["measured_kl"] < high


@pytest.mark.parametrize(("most", "parts"), [(1, [1] * 5), (7, [1] * 5), (8, [2, 2, 1]), (11, [2, 2, 1]), (99, [5])])
def test_captions_run_in_parts_of_so_many_tokens_but_at_least_one_caption(most: int, parts: list[int]) -> None:
    whole = EqualCaptions((3, 1, 4, 0, 9), torch.arange(20).reshape(5, 4))
    found = list(whole.split(most))
    assert [len(each.numbers) for each in found] == parts
    assert [number for each in found for number in each.numbers] == [3, 1, 4, 0, 9]
    assert torch.equal(torch.cat([each.tokens for each in found]), whole.tokens)


def test_more_groups_than_there_are_is_all_of_them(llama_suite: Callable[..., Suite]) -> None:
    suite = llama_suite("dataset.size_to_max_samples.small=9")
    for scope in ("top:8", "top:9", "top:100"):
        (result,) = measured("wfp8_afp8 and small", scope, suite)
        assert result.manifest is not None
        entries = [each for each in result.manifest["layer_sensitivity"].values() if each["rank"] is not None]
        assert len(entries) == 8
        assert all(each["measured_kl"] is not None for each in entries)


def test_a_model_that_cannot_be_run_in_blocks_keeps_its_scores(
    monkeypatch: pytest.MonkeyPatch, llama_suite: Callable[..., Suite]
) -> None:
    told: list[str] = []
    run = blocks.Blocks.run
    monkeypatch.setattr(blocks.Blocks, "run", lambda *arguments: run(*arguments) * 1.5)
    (result,) = measured("wfp8_afp8 and small", suite=llama_suite(), notice=told.append)
    assert result.manifest is not None
    assert result.manifest["measured"] is None
    assert told == [
        "llama: nothing is measured: the model cannot be run block by block, so no KL divergence can be measured"
    ]


def test_memory_that_runs_out_keeps_the_scores(
    monkeypatch: pytest.MonkeyPatch, llama_suite: Callable[..., Suite]
) -> None:
    def full(*_: Any) -> Any:
        raise torch.OutOfMemoryError

    told: list[str] = []
    monkeypatch.setattr(blocks.Blocks, "logits", full)
    (result,) = measured("wfp8_afp8 and small", suite=llama_suite(), notice=told.append)
    assert result.scores is not None
    assert told == ["llama: nothing is measured: out of GPU memory"]


def test_the_model_is_as_it_was(llama_suite: Callable[..., Suite]) -> None:
    (case,) = llama_suite("dataset.size_to_max_samples.small=3").select("wfp8_afp8 and small")
    (plan,) = plan_passes([case])
    loaded = load_model(case.model, open_checkpoint(case.checkpoint), CPU)
    (batch,) = tokenize(plan, loaded)
    quantizers, _ = check_format(resolve_format(case.pair.format), CPU)
    groups = find_groups(loaded).groups
    before = loaded.model(**batch.inputs).logits
    measure.measure(
        loaded, groups, caption_tokens([batch]), [{group.name: Quantized(quantizers, 3.0) for group in groups}]
    )
    assert torch.equal(loaded.model(**batch.inputs).logits, before)
    assert not any("forward" in vars(module) for module in loaded.model.modules())


def test_bfloat16(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "llama"
    build_llama(folder / "checkpoint")
    (folder / "model.yaml").write_text("family: causal_lm\ndevices: [cpu]\ndtype: bfloat16\n", encoding="utf-8")
    suite = load_suite(SUITE, models_root=folder.parent, overrides=["suite.models=[llama]"])
    (result,) = measured("wfp4_afp8 and small", suite=suite)
    assert result.manifest is not None
    assert result.manifest["engine"]["dtype"] == "bfloat16"
    assert 0.01 < result.manifest["measured"]["kl"] < 10


@given(
    before=st.lists(st.floats(-30, 30), min_size=2, max_size=40),
    size=st.sampled_from([1e-4, 1e-2, 1.0, 20.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_divergence_is_that_of_float64(before: list[float], size: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    old = torch.tensor(before, dtype=torch.float32)
    new = old + torch.tensor(random.normal(scale=size, size=len(before)), dtype=torch.float32)
    target = torch.tensor([int(random.integers(len(before)))])
    found = Before(old[None], target).divergence(new[None, None].clone())
    one, other = (torch.log_softmax(each.double(), dim=-1) for each in (old, new))
    kl = float((one.exp() * (one - other)).sum())
    assert float(found.kl) == pytest.approx(kl, rel=1e-3, abs=2e-6 * size)
    assert float(found.loss_change) == pytest.approx(float((one - other)[target]), rel=1e-4, abs=1e-5)
    assert bool(found.agrees) == bool(old.argmax() == new.argmax())


@given(st.integers(1, 10**8))
def test_a_scope_is_read_as_it_is_shown(top: int) -> None:
    assert parse_scope(f"top:{top}") == Scope("top", top)
    assert str(parse_scope(f"top:{top}")) == f"top:{top}"
    assert bool(parse_scope("all"))
    assert not parse_scope("none")


@pytest.mark.parametrize("text", ["", "top", "top:", "top:0", "top:-1", "top:1.5", "ALL", "cases,all", "top:²"])
def test_what_is_no_scope_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"valid: none, cases, top:N \(such as top:10\), all"):
        parse_scope(text)


def test_what_is_asked_must_go_together(tmp_path: Path) -> None:
    cases = TINY.select("wfp8_afp8 and small")
    with pytest.raises(InputError, match="the engine modelopt measures nothing"):
        run_cases(cases, engine="modelopt", measure="cases")
    with pytest.raises(InputError, match="nothing is measured; add"):
        run_cases(cases, measure_on=tmp_path)
    with pytest.raises(InputError, match=r"absent\.txt: no such file"):
        run_cases(cases, measure="cases", measure_on=tmp_path / "absent.txt")
