"""The package as someone meets it in a notebook: what is shown, what is refused, what a table is made of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.places import SUITE, TINY

import auto_quantize_model
from auto_quantize_model import CaseResult, InputError, load_suite, run_cases, to_rows
from auto_quantize_model.scores import CaseScores, Group, GroupScore

if TYPE_CHECKING:
    from auto_quantize_model import Case, Suite

CASE = "qwen3_vl_tiny-wfp8_afp8-small"
MOST = 200
"""How long what a notebook shows may be."""


@pytest.fixture(scope="module")
def suite() -> Suite:
    return load_suite(SUITE)


@pytest.fixture(scope="module")
def case(suite: Suite) -> Case:
    (case,) = suite.select(CASE)
    return case


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    (file,) = TINY.glob("layer-analysis/*/*_wfp8_afp8_lm_small/*_quant_manifest.json")
    loaded: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return loaded


def a_score(name: str = "model.layers.0.q_proj") -> GroupScore:
    numbers = np.ones(512)
    return GroupScore(Group((name,), ("Linear",), 64), 0.0123, 4.5e-6, numbers, numbers, "scored")


class TestShown:
    def test_a_suite_and_a_case(self, suite: Suite, case: Case) -> None:
        assert repr(suite) == f"<Suite {SUITE}: {len(suite.cases)} cases of 3 models, 10 pairs and 3 sizes>"
        assert repr(case) == f"<Case {CASE}>"

    def test_results(self, case: Case, manifest: dict[str, Any]) -> None:
        shown = repr(CaseResult(case, manifest, None))
        assert shown.startswith(f"<CaseResult {CASE}: score {manifest['autoquant_state']['score']:.4g}, predicted KL ")
        assert len(shown) < MOST
        assert repr(CaseResult(case, None, None, "out of memory")) == f"<CaseResult {CASE}: failed: out of memory>"
        skipped = repr(CaseResult(case, None, None, "needs a GPU " * 99, skipped=True))
        assert skipped.startswith(f"<CaseResult {CASE}: skipped: needs a GPU ")
        assert len(skipped) < MOST

    def test_a_result_without_a_total(self, case: Case, manifest: dict[str, Any]) -> None:
        state = {**manifest["autoquant_state"], "score": None}
        assert "score n/a" in repr(CaseResult(case, {**manifest, "autoquant_state": state}, None))

    def test_scores(self) -> None:
        groups = tuple(a_score(f"model.layers.{number}.q_proj") for number in range(500))
        scores = CaseScores(groups, a_score().group, 9, 512, 9, 9, np.ones(512, dtype=np.int64), {"name": "replay"})
        assert repr(scores) == "<CaseScores: 500 groups, scored on 512 captions by replay>"
        assert repr(groups[0]) == "<GroupScore model.layers.0.q_proj: scored, score 0.0123, predicted KL 4.5e-06>"


def test_a_suite_is_its_cases(suite: Suite) -> None:
    assert list(suite) == list(suite.cases)
    assert len(suite) == len(suite.cases)


class TestRefused:
    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ("tiny", "run_cases takes cases, not the str 'tiny'; take them from a suite: load_suite(FILE).select("),
            (["tiny"], "run_cases takes cases, not the str 'tiny'; take"),
            (None, "run_cases takes cases, not the NoneType None; take"),
            (7, "run_cases takes cases, not the int 7; take"),
        ],
    )
    def test_what_is_no_case(self, wrong: Any, message: str) -> None:
        with pytest.raises(TypeError) as caught:
            run_cases(wrong)
        assert str(caught.value).startswith(message)

    def test_a_case_alone(self, case: Case) -> None:
        with pytest.raises(TypeError, match=r"run_cases takes several cases; put the one into a list: \[case\]"):
            run_cases(case)  # type: ignore[arg-type]

    @pytest.mark.parametrize("wrong", ["qwen3_vl_tiny=x", ["qwen3_vl_tiny=x"]])
    def test_places_that_are_no_mapping(self, case: Case, wrong: Any) -> None:
        with pytest.raises(TypeError, match="model_paths maps the names of models to places, as"):
            run_cases([case], model_paths=wrong)

    def test_an_override_alone(self) -> None:
        with pytest.raises(TypeError, match=r"overrides are a list; put the one into it: \['autoquant.batch_size=4'\]"):
            load_suite(SUITE, overrides="autoquant.batch_size=4")

    def test_a_selection_that_is_no_text(self, suite: Suite) -> None:
        with pytest.raises(TypeError, match=r"select takes an expression such as 'tiny and wint8', not \['tiny'\]"):
            suite.select(["tiny"])  # type: ignore[arg-type]

    def test_a_number_for_a_device(self, case: Case) -> None:
        with pytest.raises(InputError, match="device '0' is unknown; use auto, cpu, cuda or cuda:N"):
            run_cases([case], device=0)  # type: ignore[arg-type]


class TestRows:
    def test_there_is_one_a_group_with_its_numbers(self, case: Case, manifest: dict[str, Any]) -> None:
        rows = to_rows([CaseResult(case, manifest, None)])
        assert len(rows) == len(manifest["layer_sensitivity"])
        worst = rows[0]
        entry = manifest["layer_sensitivity"][f"{worst['group']}.quant_recipe"]
        assert (worst["case"], worst["model"], worst["pair"], worst["size"]) == (
            CASE,
            "qwen3_vl_tiny",
            "wfp8_afp8",
            "small",
        )
        for column, key in {"score": "importance", "rank": "rank", "status": "status", "stderr": "stderr"}.items():
            assert worst[column] == entry[key]
        assert [worst["ci95_low"], worst["ci95_high"]] == entry["ci95"]
        assert [worst["rank_ci95_low"], worst["rank_ci95_high"]] == entry["rank_ci95"]
        assert worst["predicted_kl"] == entry["predicted_kl"]
        assert worst["score"] == max(row["score"] for row in rows if row["score"] is not None)

    def test_every_row_has_the_same_columns_of_plain_values(self, manifest: dict[str, Any]) -> None:
        older = {
            "scheme": {"name": "int8_autoquant_lm_default"},
            "model": {"id": "some/model"},
            "layer_sensitivity": {
                "layers.0.q_proj.quant_recipe": {
                    "formats": ["X(effective-bits: 8.0)"],
                    "scores": [1.0],
                    "costs": [2.0],
                    "importance": 1.0,
                }
            },
        }
        rows = to_rows([manifest, older])
        assert {tuple(row) for row in rows} == {tuple(rows[0])}
        assert {type(value) for row in rows for value in row.values()} <= {str, int, float, bool, type(None)}
        assert (rows[-1]["case"], rows[-1]["model"], rows[-1]["score"], rows[-1]["stderr"]) == (
            None,
            "some/model",
            1.0,
            None,
        )
        head = next(row for row in rows if row["status"] == "disabled")
        assert head["score"] is None

    def test_a_case_without_a_manifest_has_none(self, case: Case, manifest: dict[str, Any]) -> None:
        failed = CaseResult(case, None, None, "out of memory")
        assert to_rows([failed]) == []
        assert to_rows(iter([failed, CaseResult(case, manifest, None)])) == to_rows([manifest])

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"layer_sensitivity": {}}, "to_rows takes several results or manifests; put the one into a list"),
            ("x.json", "to_rows takes results of run_cases or manifests, not the str 'x.json'"),
            (["x.json"], "to_rows takes results of run_cases or manifests, not the str 'x.json'"),
            ([{"a": 1}], "to_rows takes results of run_cases or manifests, not the dict {'a': 1}"),
        ],
    )
    def test_other_things_are_refused(self, wrong: Any, message: str) -> None:
        with pytest.raises(TypeError) as caught:
            to_rows(wrong)
        assert str(caught.value).startswith(message)

    def test_a_result_alone_is_refused(self, case: Case) -> None:
        with pytest.raises(TypeError, match="to_rows takes several results or manifests; put the one into a list"):
            to_rows(CaseResult(case, None, None))  # type: ignore[arg-type]


def test_the_types_of_what_reports_progress_are_public() -> None:
    def progress(stage: str, done: int, total: int) -> None: ...

    first: auto_quantize_model.Progress = progress
    second: auto_quantize_model.Notice = print
    assert (callable(first), callable(second)) == (True, True)
