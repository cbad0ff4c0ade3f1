"""`run_cases`: what one case's result may and may not depend on."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING, Any

import pytest
import torch
from tests.places import SUITE

from auto_quantize_model import InputError, families, load_suite, run_cases
from auto_quantize_model.engine import execution
from auto_quantize_model.engines import ENGINES

if TYPE_CHECKING:
    from collections.abc import Callable

    from auto_quantize_model import CaseResult, Suite
    from auto_quantize_model.engines import EngineName


def numbers(value: Any) -> Any:
    """A manifest with its floats rounded to nine digits: another grouping of rows may round the last bits otherwise."""
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, dict):
        return {key: numbers(inner) for key, inner in value.items()}
    return [numbers(inner) for inner in value] if isinstance(value, list) else value


def by_id(results: list[CaseResult]) -> dict[str, Any]:
    return {result.case.id: numbers(result.manifest) for result in results}


def test_a_case_does_not_depend_on_what_runs_with_it(llama_suite: Callable[..., Suite]) -> None:
    suite = llama_suite("dataset.size_to_max_samples={small: 13, medium: 30, large: 45}", "autoquant.score_size=32")
    together = by_id(list(run_cases(suite.cases, device="cpu")))
    assert len(together) == 30
    for expression in ("wint8_aint8 and small", "wmxfp4_afp8 and medium", "wfp4_afp8 and large", "wfp8 and large"):
        for case_id, alone in by_id(list(run_cases(suite.select(expression), device="cpu"))).items():
            assert alone == together[case_id]


def test_results_come_in_the_order_of_the_cases(llama_suite: Callable[..., Suite]) -> None:
    cases = llama_suite().select("small and (wint8_aint8 or wfp8_afp8)")
    backwards = tuple(reversed(cases))
    assert [result.case for result in run_cases(backwards, device="cpu")] == list(backwards)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_model_is_gone_before_its_results_are_fetched(
    monkeypatch: pytest.MonkeyPatch, llama_suite: Callable[..., Suite], engine: EngineName
) -> None:
    made: list[weakref.ref[Any]] = []
    alive: list[int] = []
    real = families.load_model

    def load(*arguments: Any) -> Any:
        alive.append(count())
        loaded = real(*arguments)
        made.append(weakref.ref(loaded.model))
        return loaded

    def count() -> int:
        gc.collect()
        return sum(each() is not None for each in made)

    monkeypatch.setattr(execution, "load_model", load)
    cases = llama_suite().select("small and (wint8_aint8 or wfp8_afp8)")
    for _ in run_cases(cases, engine=engine, device="cpu"):
        assert count() == 0
    assert not any(alive)


def test_a_gpu_that_a_model_does_not_fit_on_is_one_line(
    monkeypatch: pytest.MonkeyPatch, llama_suite: Callable[..., Suite]
) -> None:
    def load(*_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(execution, "load_model", load)
    (result,) = run_cases(llama_suite().select("small and wint8_aint8"), device="cpu")
    assert result.error is not None
    assert result.error.startswith("out of GPU memory while 'llama' was loaded; ")


def test_the_same_case_twice_has_the_same_result_twice(llama_suite: Callable[..., Suite]) -> None:
    (case,) = llama_suite().select("small and wfp8_afp8")
    first, second = run_cases([case, case], device="cpu")
    assert first.manifest == second.manifest
    assert first.manifest is not None
    assert len(first.manifest["layer_sensitivity"]) == 9


def test_a_pairs_name_may_mean_another_format_in_another_suite(llama_suite: Callable[..., Suite]) -> None:
    (usual,) = llama_suite().select("small and wfp8_afp16")
    (other,) = llama_suite("quant_pair.format=INT8_WEIGHT_ONLY_CFG").select("small and wfp8_afp16")
    together = list(run_cases([usual, other, usual], device="cpu"))
    alone = [next(iter(run_cases([case], device="cpu"))) for case in (usual, other)]
    found = [result.manifest["quantization"]["format"] for result in together if result.manifest is not None]
    assert sorted(found) == ["FP8_WEIGHT_ONLY_CFG", "FP8_WEIGHT_ONLY_CFG", "INT8_WEIGHT_ONLY_CFG"]
    assert {numbers(result.manifest)["autoquant_state"]["score"] for result in together} == {
        numbers(result.manifest)["autoquant_state"]["score"] for result in alone
    }


def test_sample_sums_add_up(llama_suite: Callable[..., Suite]) -> None:
    (result,) = run_cases(llama_suite().select("medium and wfp4_afp8"), device="cpu")
    assert result.scores is not None
    for group in result.scores.groups:
        assert group.sample_scores is not None
        assert group.sample_kl is not None
        assert group.sample_scores.shape == group.sample_kl.shape == (128,)
        assert group.score == pytest.approx(group.sample_scores.sum())
        assert group.predicted_kl == pytest.approx(group.sample_kl.sum())
        assert (group.sample_scores >= 0).all()


def test_wrong_arguments_are_told_before_any_model_is_loaded(suite: Suite) -> None:
    with pytest.raises(InputError, match="engine 'rplay' is unknown; did you mean 'replay'"):
        run_cases(suite.cases, engine="rplay")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="device 'cuda:99' does not exist"):
        run_cases(suite.cases, device="cuda:99")
    with pytest.raises(InputError, match="the file has 512"):
        run_cases(load_suite(SUITE, overrides=["dataset.size_to_max_samples.large=513"]).cases, device="cpu")


def test_the_padding_side_moves_no_weight_only_score(llama_suite: Callable[..., Suite]) -> None:
    scores = {}
    for side in ("left", "right"):
        (case,) = llama_suite(f"dataset.padding_side={side}").select("small and wint8_afp16")
        (result,) = run_cases([case], device="cpu")
        assert result.scores is not None
        scores[side] = [group.score for group in result.scores.groups]
    assert scores["right"] == pytest.approx(scores["left"], rel=1e-4)
    assert scores["right"] != scores["left"], "other rows were padded, so the last bits are others"
