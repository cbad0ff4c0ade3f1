"""The plugin as a user meets it: a suite in an empty folder, the real engine, the embedded model's weights."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
from typing import TYPE_CHECKING, Any

import pytest
from tests.plugin.projects import lines_with, scaled

if TYPE_CHECKING:
    from tests.plugin.projects import Project

FP8, INT8 = "one-wfp8_afp16-small", "one-wint8_aint8-small"


def other_noise(manifest: dict[str, Any]) -> None:
    """One group's score is a millionth more, wherever the manifest says it."""
    name, entry = list(manifest["layer_sensitivity"].items())[2]
    more = entry["importance"] * 1e-6
    scaled(2, 1 + 1e-6)(manifest)
    (ranked,) = (each for each in manifest["sensitivity_ranking"] if each["name"] == name)
    ranked["importance"] = entry["importance"]
    entry["split"]["interaction"] += more
    manifest["autoquant_state"]["score"] += more


def published(project: Project, *arguments: str) -> None:
    assert project.run("--publish", *arguments).ret == 0


class TestCollection:
    def test_a_test_gets_one_parameter_a_case_with_the_gpu_marker(self, project: Project) -> None:
        project.write_suite(models=["one", "two"])
        result = project.run("--collect-only", "-q")
        names = [f"{model}-{pair}-small" for model in ("one", "two") for pair in ("wfp8_afp16", "wint8_aint8")]
        assert result.outlines[:4] == [f"test_mine.py::test_sensitivity[{name}]" for name in names]
        result = project.run("--collect-only", "-q", "-m", "not gpu")
        assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED

    def test_collecting_writes_nothing_and_imports_no_torch(self, project: Project) -> None:
        project.write_tests(
            """
            import sys

            def test_sensitivity(sensitivity_case): ...

            def test_nothing_heavy_is_imported():
                assert not {"torch", "transformers", "modelopt"} & set(sys.modules)
            """
        )
        result = project.run_apart("-m", "not gpu")
        result.assert_outcomes(passed=1, deselected=2)
        project.run_apart("--collect-only")
        assert not (project.root / "out").exists()
        assert not (project.root / "tmp").exists()

    def test_other_tests_are_left_alone(self, project: Project) -> None:
        project.write_tests("def test_other(): ...", "test_other.py")
        result = project.run("test_other.py")
        result.assert_outcomes(passed=1)
        assert "sensitivity" not in result.stdout.str().replace("auto-quantize-model", "").partition("rootdir")[0]
        assert not lines_with(result, "cases:")

    def test_the_nearest_suite_is_the_one(self, project: Project) -> None:
        inner = project.root / "deep" / "er"
        inner.mkdir(parents=True)
        (inner / "test_deep.py").write_text("def test_it(sensitivity_pair): ...", encoding="utf-8")
        assert len(lines_with(project.run("deep", "--co", "-q"), "test_deep.py::test_it[w")) == 2
        (project.root / "deep" / "suite.yaml").write_text("models: [one]\n", encoding="utf-8")
        result = project.run("deep", "--co", "-q", "--sensitivity-models-root", "models")
        assert len(lines_with(result, "test_deep.py::test_it[w")) == 10

    def test_the_cases_of_a_model_run_next_to_each_other(self, project: Project) -> None:
        project.write_suite(models=["one", "two"])
        project.write_tests(
            """
            def test_first(sensitivity_case): ...

            def test_between(): ...

            def test_second(sensitivity_case): ...
            """
        )
        result = project.run("--collect-only", "-q")
        models = [match[1] for match in (re.search(r"\[(one|two)-", line) for line in result.outlines) if match]
        assert models == ["one"] * 4 + ["two"] * 4
        assert result.outlines[4] == "test_mine.py::test_between"


class TestRuns:
    def test_one_pass_a_model_with_visible_progress(self, project: Project) -> None:
        project.write_suite(models=["one", "two"])
        result = project.run("--publish")
        result.assert_outcomes(passed=4)
        assert lines_with(result, "one pass for") == ["one: one pass for 2 cases", "two: one pass for 2 cases"]
        for stage in ("load", "capture", "replay"):
            assert len(lines_with(result, f"  {stage}: ")) == 2

    def test_the_pass_is_for_exactly_the_selected_cases(self, project: Project) -> None:
        result = project.run("-k", "wfp8")
        assert lines_with(result, "one pass for") == ["one: one pass for 1 case"]
        assert "one_autoquant_wint8" not in "".join(project.files("out"))

    def test_last_failed_runs_one_case_alone(self, project: Project) -> None:
        published(project)
        project.edit_manifest(INT8, scaled(2, 1.05))
        project.run("-p", "cacheprovider").assert_outcomes(passed=1, failed=1)
        result = project.run("--lf")
        result.assert_outcomes(failed=1)
        assert lines_with(result, "one pass for") == ["one: one pass for 1 case"]

    def test_it_stops_at_the_first_failure_if_asked(self, project: Project) -> None:
        result = project.run("-x")
        result.assert_outcomes(failed=1)
        assert len(lines_with(result, "to create it: ")) == 1

    def test_two_tests_of_a_case_share_its_pass(self, project: Project) -> None:
        project.write_tests(
            """
            def test_first(sensitivity_case):
                assert sensitivity_case.manifest["case"]["id"] == sensitivity_case.case.id

            def test_second(sensitivity_case):
                assert sensitivity_case.manifest["num_quantized_layers"] > 0
            """
        )
        result = project.run()
        result.assert_outcomes(passed=4)
        assert lines_with(result, "one pass for") == ["one: one pass for 2 cases"]
        assert len(lines_with(result, "not compared")) == 3

    def test_what_third_parties_deprecate_is_no_error_here(self, project: Project) -> None:
        result = project.run_apart("-W", "error", "--publish", "-k", "wfp8")
        result.assert_outcomes(passed=1, deselected=1)

    def test_a_pair_that_cannot_run_fails_only_its_own_cases(self, project: Project) -> None:
        project.write_pair("bad", "weight: fp8\nactivation: fp8\nformat: NO_SUCH_CFG\n")
        project.write_suite(pairs=["bad", "wfp8_afp16"])
        result = project.run("--publish")
        result.assert_outcomes(passed=1, failed=1)
        assert lines_with(result, "conf/quant_pair/bad.yaml: format 'NO_SUCH_CFG' is not in the installed ModelOpt")
        assert not lines_with(result, "Traceback")
        assert not list(project.root.glob("models/one/layer-analysis/weight-fp8-act-fp8"))

    def test_a_broken_checkpoint_fails_only_its_own_model(self, project: Project) -> None:
        half = project.root / "half"
        half.mkdir()
        project.write_suite(models=["one", "two"])
        project.write_model("one", path=str(half))
        result = project.run("--publish", "-v")
        result.assert_outcomes(passed=2, failed=2)
        assert lines_with(result, "config.json: no such file, so this is not a whole checkpoint")
        assert "Traceback" not in result.stdout.str()

    def test_a_model_that_is_not_here_is_skipped_with_the_reason(self, project: Project) -> None:
        project.write_model("one", path="nowhere", hub_id="someone/something")
        result = project.run("-rs")
        result.assert_outcomes(skipped=2)
        (line,) = lines_with(result, "2 cases skipped")
        assert "no checkpoint in models/one/nowhere or the Hugging Face cache: hf download someone/something" in line
        project.write_model("one", devices=["cuda"])
        assert lines_with(project.run(), "2 cases skipped: device 'cpu': the model's `devices` allow cuda only")

    def test_a_models_weights_are_let_go_when_its_cases_are_done(self, project: Project) -> None:
        project.write_suite(models=["one", "two"], pairs=["wfp8_afp16"])
        project.write_tests(
            """
            import gc

            def test_sensitivity(sensitivity_case):
                from auto_quantize_model.families.loaded import LoadedModel

                assert sensitivity_case.manifest
                gc.collect()
                assert not [each for each in gc.get_objects() if type(each) is LoadedModel]
            """
        )
        project.run().assert_outcomes(passed=2)

    def test_a_bug_shows_its_traceback_once(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*_: Any, **__: Any) -> None:
            raise ZeroDivisionError("by design")

        monkeypatch.setattr("auto_quantize_model.engine.one_pass.capture", broken)
        result = project.run()
        result.assert_outcomes(failed=2)
        assert len(lines_with(result, "E       ZeroDivisionError: by design")) == 1
        assert lines_with(result, "the pass over one broke in an earlier test: ZeroDivisionError: by design")

    def test_a_manifest_that_breaks_the_schema_is_one_line(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from auto_quantize_model.manifest.build import build_manifest

        monkeypatch.setattr("auto_quantize_model.run.build_manifest", lambda *all_: build_manifest(*all_) | {"new": 1})
        result = project.run("-k", "wfp8")
        result.assert_outcomes(failed=1)
        assert lines_with(
            result, f"{FP8}: the manifest does not keep the JSON Schema: the whole: Additional properties"
        )

    def test_the_composed_configuration_lies_in_the_output(self, project: Project) -> None:
        project.run("-k", "wfp8", "--sensitivity-override", "autoquant.batch_size=4")
        text = (project.root / "out" / "config.yaml").read_text(encoding="utf-8")
        assert "batch_size: 4" in text
        assert "wint8" not in text

    def test_the_reference_engine(self, project: Project) -> None:
        published(project)
        result = project.run("--sensitivity-engine", "modelopt", "-k", "wfp8")
        result.assert_outcomes(passed=1)
        assert lines_with(result, "within_noise")


class TestBaselines:
    def test_a_missing_one_fails_with_the_command_that_creates_it(self, project: Project) -> None:
        result = project.run("-k", "wfp8")
        result.assert_outcomes(failed=1)
        (line,) = lines_with(result, "to create it: ")
        command = shlex.split(line.partition("to create it: ")[2])
        assert command[0] == "pytest"
        project.run(*command[1:]).assert_outcomes(passed=1, deselected=1)
        assert project.manifest_file(FP8).is_file()
        result = project.run("-k", "wfp8")
        result.assert_outcomes(passed=1)
        assert lines_with(result, "identical")

    def test_publishing_twice_changes_nothing(self, project: Project) -> None:
        published(project)
        before = {path: path.stat().st_mtime_ns for path in project.root.rglob("models/one/layer-analysis/**/*")}
        result = project.run("--publish")
        assert lines_with(result, "published: 2 unchanged")
        assert before == {
            path: path.stat().st_mtime_ns for path in project.root.rglob("models/one/layer-analysis/**/*")
        }

    def test_drift_fails_and_names_the_group_the_file_and_the_next_step(self, project: Project) -> None:
        published(project)
        file = project.edit_manifest(INT8, scaled(2, 1.05))
        group = list(json.loads(file.read_text(encoding="utf-8"))["layer_sensitivity"])[2].removesuffix(".quant_recipe")
        result = project.run()
        result.assert_outcomes(passed=1, failed=1)
        text = result.stdout.str()
        assert str(file.relative_to(project.root)) in text
        assert group in text
        assert "x0.952" in text
        assert "Traceback" not in text
        assert "case_run.py" not in text
        (line,) = lines_with(result, "what each cause adds to it: ")
        assert line.endswith(f"explain {INT8} --device cpu")
        (line,) = lines_with(result, "if the change is meant: ")
        command = shlex.split(line.partition("meant: ")[2])
        result = project.run(*command[1:])
        result.assert_outcomes(passed=1, deselected=1)
        assert lines_with(result, "drift, updated")
        assert [line for line in lines_with(result, f"  {INT8}: drift: ") if group in line]
        project.run().assert_outcomes(passed=2)

    def test_noise_passes_and_rewrites_nothing(self, project: Project) -> None:
        published(project)
        project.edit_manifest(INT8, other_noise)
        project.edit_manifest(FP8, lambda manifest: manifest["environment"].update(torch="2.0"))
        project.pytester.runpytest_inprocess("--sensitivity-report-only", "--publish")
        before = project.files()
        result = project.run()
        result.assert_outcomes(passed=2)
        assert lines_with(result, "2 cases: 1 identical, 1 within_noise")
        result = project.run("--publish")
        assert lines_with(result, "published: 2 unchanged")
        assert project.files() == before

    @pytest.mark.parametrize(
        ("section", "key"),
        [("model", "checkpoint_sha256"), ("calibration", "captions_sha256"), ("quantization", "config_sha256")],
    )
    def test_what_went_in_must_be_the_same(self, project: Project, section: str, key: str) -> None:
        published(project, "-k", "wfp8")

        def other(manifest: dict[str, Any]) -> None:
            manifest[section][key] = "0" * 64

        project.edit_manifest(FP8, other)
        result = project.run("-k", "wfp8")
        result.assert_outcomes(failed=1)
        assert lines_with(result, "incomparable")
        assert lines_with(result, f"{section}.{key}")

    def test_a_pair_that_means_another_format_is_named(self, project: Project) -> None:
        project.write_suite(pairs=["wfp4_afp16"])
        published(project)
        project.write_pair(
            "wfp4_afp16",
            """
            format:
              name: W4A16_NVFP4_CFG
              preset: W4A8_NVFP4_FP8_CFG
              changes:
                "*weight_quantizer":
                  cfg: {num_bits: [2, 1], block_sizes: {-1: 16, type: dynamic, scale_bits: [4, 3]}}
            """,
        )
        result = project.run()
        result.assert_outcomes(failed=1)
        assert lines_with(result, "quantization.config")

    def test_an_override_that_changes_scores_says_so(self, project: Project) -> None:
        published(project)
        result = project.run("--sensitivity-override", "autoquant.batch_size=4", "-k", "wfp8")
        result.assert_outcomes(failed=1)
        assert lines_with(result, "this run had --sensitivity-override autoquant.batch_size=4")
        assert lines_with(result, f"explain {FP8} --device cpu --override autoquant.batch_size=4")
        assert not lines_with(result, "--publish")

    def test_a_failed_test_publishes_nothing(self, project: Project) -> None:
        project.write_tests(
            """
            def test_sensitivity(sensitivity_case):
                sensitivity_case.check_baseline()
                assert "wfp8" in sensitivity_case.manifest["case"]["id"]
            """
        )
        result = project.run("--publish")
        result.assert_outcomes(passed=1, failed=1)
        assert project.manifest_file(FP8).is_file()
        assert not list(project.root.glob("models/one/layer-analysis/weight-int8*"))

    def test_one_failed_test_of_a_case_keeps_it_from_being_published(self, project: Project) -> None:
        project.write_tests(
            """
            import pytest

            def test_first(sensitivity_case):
                sensitivity_case.check_baseline()

            @pytest.mark.parametrize("number", [1, 2])
            def test_second(sensitivity_case, number):
                assert "wfp8" in sensitivity_case.manifest["case"]["id"] or number == 1
            """
        )
        result = project.run("--publish")
        result.assert_outcomes(passed=5, failed=1)
        assert lines_with(result, "published: 1 created")
        assert project.manifest_file(FP8).is_file()
        assert not list(project.root.glob("models/one/layer-analysis/weight-int8*"))

    def test_a_failed_subtest_keeps_a_case_from_being_published(self, project: Project) -> None:
        project.write_tests(
            """
            def test_sensitivity(sensitivity_case, subtests):
                sensitivity_case.check_baseline()
                with subtests.test("half"):
                    assert "wfp8" in sensitivity_case.case.id
            """
        )
        project.run("--publish")
        assert project.manifest_file(FP8).is_file()
        assert not list(project.root.glob("models/one/layer-analysis/weight-int8*"))

    def test_the_most_telling_of_a_cases_tests_is_told(self, project: Project) -> None:
        published(project)
        project.edit_manifest(INT8, scaled(2, 1.05))
        project.write_tests(
            """
            def test_first(sensitivity_case):
                sensitivity_case.check_baseline()

            def test_second(sensitivity_case):
                assert sensitivity_case.manifest
            """
        )
        result = project.run()
        result.assert_outcomes(passed=3, failed=1)
        assert lines_with(result, "2 cases: 1 identical, 1 drift")

    def test_what_a_test_does_to_its_manifest_is_not_published(self, project: Project) -> None:
        published(project)
        before = project.files()
        project.write_tests(
            """
            def test_sensitivity(sensitivity_case):
                sensitivity_case.manifest["autoquant_state"]["score"] = 1e9
                sensitivity_case.manifest.clear()
                sensitivity_case.check_artifacts()
            """
        )
        assert lines_with(project.run("--publish"), "published: 2 unchanged")
        assert project.files() == before

    def test_a_test_that_changes_the_working_directory_changes_no_place(self, project: Project) -> None:
        elsewhere = project.root / "elsewhere"
        elsewhere.mkdir()
        project.write_tests(
            f"""
            def test_sensitivity(sensitivity_case, monkeypatch):
                monkeypatch.chdir({str(elsewhere)!r})
                sensitivity_case.check_baseline()
            """
        )
        published(project, "--sensitivity-models-root", "models", "--sensitivity-json", "summary.json")
        assert project.manifest_file(FP8).is_file()
        assert (project.root / "out" / "config.yaml").is_file()
        assert (project.root / "summary.json").is_file()
        assert not list(elsewhere.iterdir())

    def test_the_output_cannot_be_the_models_tree(self, project: Project) -> None:
        published(project)
        before = project.files()
        result = project.run("--sensitivity-output", "models/deep")
        assert lines_with(result, "lies in the models tree, whose baselines a run would overwrite")
        assert project.files() == before

    def test_a_baseline_of_a_newer_version_is_left_alone(self, project: Project) -> None:
        published(project)
        file = project.edit_manifest(FP8, lambda manifest: manifest.update(schema_version=99))
        before = file.read_bytes()
        result = project.run("--publish")
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        assert lines_with(result, "schema_version is 99; this version of the package reads 1, 2, 3")
        assert file.read_bytes() == before

    def test_a_case_that_is_not_finite_is_not_published(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from auto_quantize_model.engine.search import search

        def unsolved(*arguments: Any) -> Any:
            return dataclasses.replace(search(*arguments), status="not_finite", score=None)

        monkeypatch.setattr("auto_quantize_model.engine.execution.search", unsolved)
        result = project.run("--publish", "-k", "wfp8")
        result.assert_outcomes(failed=1)
        assert lines_with(result, "not every score is finite, so nothing was searched")
        assert not list(project.root.glob("models/one/layer-analysis/weight-*"))

    def test_a_case_with_an_infeasible_budget_fails_and_is_not_published(self, project: Project) -> None:
        autoquant = project.root / "conf" / "autoquant" / "default.yaml"
        autoquant.parent.mkdir(parents=True)
        autoquant.write_text("effective_bits: 6.0\n", encoding="utf-8")
        for options in ((), ("--publish",)):
            result = project.run("-k", "wfp8", *options)
            result.assert_outcomes(failed=1)
            assert lines_with(result, "there are 8, the least feasible; set autoquant.effective_bits to at least 8")
            assert not list(project.root.glob("models/one/layer-analysis/weight-*"))
            assert len(list((project.root / "out").rglob("*_quant_manifest.json"))) == 1

    def test_a_broken_baseline_is_one_line_and_can_be_replaced(self, project: Project) -> None:
        published(project)
        project.manifest_file(FP8).write_text("{", encoding="utf-8")
        result = project.run("-k", "wfp8")
        result.assert_outcomes(failed=1)
        assert lines_with(result, "not valid JSON")
        published(project, "-k", "wfp8")
        project.run().assert_outcomes(passed=2)

    def test_the_index_lists_every_published_case(self, project: Project) -> None:
        published(project, "-k", "wfp8")
        index = project.root / "models" / "one" / "layer-analysis" / "README.md"
        assert FP8 in index.read_text(encoding="utf-8")
        assert INT8 not in index.read_text(encoding="utf-8")
        published(project, "-k", "wint8")
        assert {FP8, INT8} <= set(re.findall(r"one-\w+-small", index.read_text(encoding="utf-8")))


class TestReportOnly:
    def test_it_regenerates_without_torch(self, project: Project) -> None:
        published(project)
        project.write_tests(
            """
            import sys

            def test_sensitivity(sensitivity_case):
                sensitivity_case.check_artifacts()
                sensitivity_case.check_baseline()
                assert "torch" not in sys.modules
            """
        )
        before = project.files()
        result = project.run_apart("--sensitivity-report-only")
        result.assert_outcomes(passed=2)
        assert len(lines_with(result, "regenerated")) == 3
        assert project.files() == before
        out = project.files("out")
        assert out.pop("config.yaml")
        assert {name: text for name, text in before.items() if "/weight-" in name} == out

    def test_with_publish_it_works_in_place(self, project: Project) -> None:
        published(project)
        before = project.files()
        report = project.manifest_file(FP8).parent / "per-layer-sensitivity.md"
        report.write_text("old\n", encoding="utf-8")
        result = project.pytester.runpytest_inprocess("--sensitivity-report-only", "--publish")
        result.assert_outcomes(passed=2)
        assert lines_with(result, "published: 1 re-rendered, 1 unchanged")
        assert project.files() == before

    def test_an_older_tools_baseline_is_one_line(self, project: Project) -> None:
        published(project)

        def older(manifest: dict[str, Any]) -> None:
            del manifest["schema_version"], manifest["layer_sensitivity"]["lm_head.quant_recipe"]

        project.edit_manifest(FP8, older)
        result = project.pytester.runpytest_inprocess("--sensitivity-report-only", "-k", "wfp8")
        result.assert_outcomes(failed=1)
        assert lines_with(result, "an older tool's, as are the reports beside it")
        assert "Traceback" not in result.stdout.str()

    def test_a_model_that_was_never_fetched_is_skipped(self, project: Project) -> None:
        project.write_model("one", path="nowhere")
        result = project.pytester.runpytest_inprocess("--sensitivity-report-only")
        result.assert_outcomes(skipped=2)

    def test_without_a_manifest_it_is_one_line(self, project: Project) -> None:
        result = project.pytester.runpytest_inprocess("--sensitivity-report-only")
        result.assert_outcomes(failed=2)
        assert lines_with(result, "to regenerate the reports from")


class TestSummary:
    def test_one_line_a_case_and_the_totals(self, project: Project) -> None:
        published(project)
        project.edit_manifest(INT8, scaled(2, 1.05))
        result = project.run()
        text = result.stdout.str()
        section = text[text.index("case  ") :].splitlines()
        assert section[1].startswith(FP8)
        assert "identical" in section[1]
        assert section[2].startswith(INT8)
        assert "drift" in section[2]
        assert "x0.9524" in section[2]
        assert "2 cases: 1 identical, 1 drift" in text
        assert "artifacts: out" in text

    def test_every_number_on_demand(self, project: Project) -> None:
        published(project)
        text = project.run("--sensitivity-verbose").stdout.str()
        assert "most sensitive group" in text
        assert "seconds" in text
        assert "costliest first" not in text

    def test_the_same_for_machines(self, project: Project) -> None:
        published(project)
        project.edit_manifest(INT8, scaled(2, 1.05))
        project.run("--sensitivity-json", "deep/summary.json")
        summary = json.loads((project.root / "deep" / "summary.json").read_text(encoding="utf-8"))
        assert summary["totals"] == {"passed": 1, "failed": 1}
        first, second = summary["cases"]
        assert (first["case"], first["verdict"], first["outcome"]) == (FP8, "identical", "passed")
        assert (second["case"], second["verdict"], second["outcome"]) == (INT8, "drift", "failed")
        assert second["worst_ratio"] == pytest.approx(1 / 1.05)
        assert second["worst_group"]
        assert first["pass_seconds"] > 0
        assert second["pass_seconds"] is None
        assert (project.root / "out") == type(project.root)(summary["output"])

    def test_the_same_as_a_page_beside_the_baselines(self, project: Project) -> None:
        published(project)
        project.edit_manifest(INT8, scaled(2, 1.05))
        project.run("--sensitivity-html", "deep/page.html")
        page = (project.root / "deep" / "page.html").read_text(encoding="utf-8")
        data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
        assert [source["name"] for source in data["sources"]] == ["baselines", "this run"]
        assert [case["verdict"] for case in data["sources"][1]["cases"]] == ["identical", "drift"]
        (comparison,) = data["comparisons"]
        assert [case["verdict"] for case in comparison["cases"]] == ["identical", "drift"]

    def test_a_page_that_cannot_be_written_fails_the_session(self, project: Project) -> None:
        published(project)
        (project.root / "file").write_text("", encoding="utf-8")
        result = project.run("--sensitivity-html", "file/page.html")
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        assert lines_with(result, "error: ")
        (project.root / "folder").mkdir()
        assert project.run("--sensitivity-html", "folder").ret == pytest.ExitCode.USAGE_ERROR

    def test_a_folder_in_the_summarys_place_is_told_at_once(self, project: Project) -> None:
        (project.root / "folder").mkdir()
        result = project.run("--sensitivity-json", "folder")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert lines_with(result, "folder: is a folder; name a file")
        assert not lines_with(result, "one pass for")

    def test_every_selected_case_is_in_it_even_if_not_reached(self, project: Project) -> None:
        project.run("-x", "--sensitivity-json", "summary.json")
        first, second = json.loads((project.root / "summary.json").read_text(encoding="utf-8"))["cases"]
        assert (first["outcome"], second["outcome"]) == ("failed", "not run")

    def test_a_summary_that_cannot_be_written_fails_the_session(self, project: Project) -> None:
        published(project)
        (project.root / "file").write_text("", encoding="utf-8")
        result = project.run("--sensitivity-json", "file/summary.json")
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        assert lines_with(result, "error: ")

    @pytest.mark.usefixtures("warm_python")
    def test_an_interrupted_session_tells_what_was_done(self, project: Project) -> None:
        project.write_tests(
            """
            def test_sensitivity(sensitivity_case):
                sensitivity_case.check_baseline()
                if "wint8" in sensitivity_case.case.id:
                    raise KeyboardInterrupt
            """
        )
        result = project.run_apart("--publish", "--sensitivity-json", "summary.json")
        assert result.ret == pytest.ExitCode.INTERRUPTED
        (line,) = [line for line in lines_with(result, FP8) if "created" in line]
        assert line.split()[:3] == [FP8, "new,", "created"]
        assert lines_with(result, "artifacts: out")
        assert FP8 in (project.root / "models" / "one" / "layer-analysis" / "README.md").read_text(encoding="utf-8")
        first, second = json.loads((project.root / "summary.json").read_text(encoding="utf-8"))["cases"]
        assert (first["case"], first["outcome"], first["published"]) == (FP8, "passed", "created")
        assert (second["case"], second["outcome"], second["verdict"]) == (INT8, "not run", "not run")


class TestUsage:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("--sensitivity-device", "tpu"), "'tpu' is unknown; use auto, cpu, cuda or cuda:N"),
            (("--sensitivity-engine", "replya"), "invalid choice: 'replya'"),
            (("--sensitivity-model-path", "one"), "write it as NAME=DIR"),
            (("--sensitivity-override", "autoquant"), "write it as section.key=value"),
            (("--sensitivity-override", "autoqant.x=1"), "did you mean 'autoquant'?"),
            (("--publish", "--sensitivity-override", "autoquant.batch_size=4"), "changes what is published"),
            (("--publish", "--sensitivity-override", "dataset.seq_len=4"), "changes what is published"),
            (("--publish", "--sensitivity-override", "suite.pairs=[wfp8_afp16]"), "(-k selects cases)"),
            (("--sensitivity-report-only", "--sensitivity-engine", "modelopt"), "runs no engine"),
            (("--sensitivity-report-only", "--sensitivity-device", "cpu"), "runs on no device"),
            (("--sensitivity-report-only", "--sensitivity-cluster", "auto"), "runs no engine"),
            (("--sensitivity-cluster", "head"), "write it as auto, or as HOST:PORT"),
            (("--sensitivity-cluster", "auto", "--sensitivity-cluster-gpus", "0"), "a whole number of GPUs"),
            (("--sensitivity-cluster", "auto", "-n", "2"), "leave -n, or --dist, of pytest-xdist out"),
            (("--sensitivity-cluster", "auto", "--sensitivity-keep-capture"), "go with the run"),
            (("--sensitivity-cluster", "auto", "--sensitivity-measure", "all"), "one process alone can measure"),
        ],
    )
    def test_a_wrong_option_is_one_line(self, project: Project, arguments: tuple[str, ...], message: str) -> None:
        result = project.pytester.runpytest_inprocess(*arguments)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert lines_with(result, message)
        assert "Traceback" not in result.stderr.str() + result.stdout.str()

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("models: [oen]\n", "model 'oen' is unknown"),
            ("models: [one]\npairs: [wfp8_afp17]\n", "did you mean 'wfp8_afp1"),
            ("modles: [one]\n", "did you mean 'models'?"),
            ("models: [one\n", "not valid YAML"),
        ],
        ids=["model", "pair", "key", "YAML"],
    )
    def test_a_wrong_suite_is_one_line(self, project: Project, text: str, message: str) -> None:
        (project.root / "suite.yaml").write_text(text, encoding="utf-8")
        result = project.run()
        assert result.ret == pytest.ExitCode.INTERRUPTED
        assert lines_with(result, message)
        assert "Traceback" not in result.stdout.str()

    def test_no_suite_is_one_line(self, project: Project) -> None:
        (project.root / "suite.yaml").unlink()
        result = project.run()
        assert lines_with(result, "there is no suite.yaml beside it")

    def test_an_override_reaches_the_suite(self, project: Project) -> None:
        result = project.run("--co", "-q", "--sensitivity-override", "suite.pairs=[wfp8_afp8]")
        assert result.outlines[0] == "test_mine.py::test_sensitivity[one-wfp8_afp8-small]"

    def test_the_same_case_in_two_suites_is_refused(self, project: Project) -> None:
        other = project.root / "other"
        other.mkdir()
        (other / "suite.yaml").write_text((project.root / "suite.yaml").read_text(encoding="utf-8"), encoding="utf-8")
        (other / "test_other.py").write_text("def test_it(sensitivity_case): ...", encoding="utf-8")
        result = project.run("--sensitivity-models-root", "models")
        assert result.ret == pytest.ExitCode.INTERRUPTED
        assert lines_with(result, "run the two suites apart")

    def test_a_path_for_a_model_that_is_not_in_the_suite_is_one_line(self, project: Project) -> None:
        result = project.run("--sensitivity-model-path", "oen=x")
        assert result.ret == pytest.ExitCode.INTERRUPTED
        assert lines_with(result, "suite.yaml; did you mean 'one'?")
        assert "Traceback" not in result.stdout.str()

    def test_publish_yields_to_another_plugin(self, project: Project) -> None:
        (project.root / "conftest.py").write_text(
            "def pytest_addoption(parser):\n    parser.addoption('--publish', action='store_true')\n", encoding="utf-8"
        )
        result = project.run("--publish", "-k", "wfp8")
        result.assert_outcomes(failed=1)
        assert lines_with(result, "--publish belongs to another plugin here; use --sensitivity-publish")
        assert not (project.root / "models" / "one" / "layer-analysis").exists()
        assert project.run("--sensitivity-publish", "-k", "wfp8").ret == 0
        assert project.manifest_file(FP8).is_file()

    def test_a_test_has_one_of_the_fixtures(self, project: Project) -> None:
        project.write_tests("def test_both(sensitivity_case, sensitivity_pair): ...")
        assert lines_with(project.run(), "test_both: asks for sensitivity_case and sensitivity_pair; a test has one")
        project.write_tests("def test_late(request):\n    request.getfixturevalue('sensitivity_case')")
        assert lines_with(project.run(), "sensitivity_case parametrizes a test that has it among its arguments")

    def test_help_shows_every_option(self, project: Project) -> None:
        text = project.run("--help").stdout.str()
        for option in ("--publish", "--sensitivity-publish", "--sensitivity-json", "--sensitivity-models-root"):
            assert f"  {option}" in text
