"""Planted causes: each is found, by rerunning, with its share, and no other is named."""

from __future__ import annotations

import copy
import itertools
import subprocess
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.explain.planted import BATCH, CONFIG, COUNTS, DTYPE, ENGINE, PRECISION, explain, run_with, shares_of
from tests.places import ROOT

from auto_quantize_model.engine import one_pass
from auto_quantize_model.engine.capture.captured import capture
from auto_quantize_model.engine.machine import operands
from auto_quantize_model.engine.machine.products import product
from auto_quantize_model.engine.replay import rounded_work
from auto_quantize_model.explain.explanation import measured_scores

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NAMES = {CONFIG: "pair config", COUNTS: "sample counts", BATCH: "batch size", DTYPE: "dtype", ENGINE: "engine"}


def reading(file: Path) -> tuple[str, str]:
    return f"dataset.root={file.parent}", f"dataset.captions_path={file.name}"


def expected_shares(plants: Sequence[str], *common: str) -> dict[tuple[str, ...], float]:
    """The shares by their definition, from runs of the test's own."""
    runs = {
        each: np.array(list(measured_scores(run_with(*common, *each)).values()))
        for count in range(len(plants) + 1)
        for each in itertools.combinations(plants, count)
    }
    now, everything = runs[()], runs[tuple(plants)]
    drift = now - everything
    effects: dict[tuple[str, ...], Any] = {(NAMES[plant],): now - runs[plant,] for plant in plants}
    effects[tuple(NAMES[plant] for plant in plants)] = drift - sum(effects.values())
    return {causes: float(effect @ drift / (drift @ drift)) for causes, effect in effects.items()}


@pytest.mark.parametrize("plant", [CONFIG, COUNTS, BATCH, DTYPE, "autoquant.score_size=8"])
def test_a_cause_alone_explains_the_whole_drift(plant: str) -> None:
    explanation = explain(run_with(plant))
    assert explanation.outcome == "explained"
    assert shares_of(explanation) == {(NAMES.get(plant, "sample counts"),): pytest.approx(1, abs=1e-6)}
    assert explanation.shares.residual.share == pytest.approx(0, abs=1e-6)
    assert (explanation.untested, explanation.unstated, explanation.left_out) == ((), (), ())


def test_the_engine_alone_explains_the_whole_drift() -> None:
    # In float32 the engines agree, so the drift is in bfloat16, which ModelOpt rounds its differences to.
    explanation = explain(run_with(ENGINE, DTYPE), DTYPE)
    assert explanation.outcome == "explained"
    assert shares_of(explanation) == {("engine",): pytest.approx(1, abs=1e-6)}
    assert explanation.untested == ()


def test_captions_alone_explain_the_whole_drift(older_text: Path) -> None:
    explanation = explain(run_with(*reading(older_text)), captions=older_text)
    assert explanation.outcome == "explained"
    assert shares_of(explanation) == {("captions",): pytest.approx(1, abs=1e-6)}
    (cause,) = explanation.causes
    assert (cause.old, cause.new) == ("older.txt", "embedded_captions_small.txt")
    assert explanation.untested == ()


def test_the_older_captions_are_called_as_the_manifest_calls_them(tmp_path: Path, older_text: Path) -> None:
    lines = older_text.read_text(encoding="utf-8").splitlines(keepends=True)
    files = {"older_small.txt": lines[:16], "older_large.txt": lines}
    present = ROOT / "sensitivity_cases" / "data" / "embedded_captions_small.txt"
    files["new_small.txt"] = present.read_text(encoding="utf-8").splitlines(keepends=True)
    for name, captions in files.items():
        (tmp_path / name).write_text("".join(captions), encoding="utf-8")
    baseline = run_with(*reading(tmp_path / "older_small.txt"))
    assert baseline["dataset"]["captions"] == "older_small.txt"
    (cause,) = explain(baseline, *reading(tmp_path / "new_small.txt")).causes
    assert (cause.old, cause.new) == ("older_small.txt", "new_small.txt")


@pytest.mark.parametrize("plants", [(CONFIG, BATCH), (COUNTS, BATCH), (CONFIG, COUNTS), (BATCH, DTYPE)])
def test_two_causes_have_shares_and_an_interaction_of_their_own(plants: tuple[str, str]) -> None:
    explanation = explain(run_with(*plants))
    found = {tuple(sorted(causes)): share for causes, share in shares_of(explanation).items()}
    expected = {tuple(sorted(causes)): share for causes, share in expected_shares(plants).items()}
    assert found == pytest.approx(expected, abs=1e-6)
    assert explanation.outcome == "explained"
    assert explanation.shares.missed < 1e-6
    assert explanation.untested == ()


def test_the_interaction_of_config_and_batch_size_is_real() -> None:
    shares = shares_of(explain(run_with(CONFIG, BATCH)))
    assert abs(shares["pair config", "batch size"] or 0) > 0.1


def test_the_engine_and_the_dtype_are_told_apart() -> None:
    explanation = explain(run_with(ENGINE, DTYPE))
    assert set(shares_of(explanation)) == {("dtype",), ("engine",), ("dtype", "engine")}
    assert explanation.outcome == "explained"


def test_rounded_products_are_a_cause_of_their_own() -> None:
    explanation = explain(run_with(PRECISION, BATCH))
    assert set(shares_of(explanation)) == {("replay precision",), ("batch size",), ("batch size", "replay precision")}
    (cause,) = (each for each in explanation.causes if each.name == "replay precision")
    assert (cause.old, cause.new) == ("tensor_core", "exact")
    assert (explanation.outcome, explanation.untested) == ("explained", ())
    assert explanation.shares.missed < 1e-6


def test_products_that_are_rounded_as_the_dtype_wants_are_no_cause_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operands, "has_fast_products", lambda _: True)
    # Which a processor that has none of them cannot do.
    monkeypatch.setattr(rounded_work, "rounded_product", lambda rows, weight, _: product(rows.float(), weight.float()))
    explanation = explain(run_with(DTYPE, "dataset.seq_len=300"))
    assert [cause.name for cause in explanation.causes] == ["sequence length", "dtype"]
    assert explanation.outcome == "explained"


def test_another_text_and_fewer_of_its_captions_are_two_causes(older_text: Path) -> None:
    explanation = explain(run_with(*reading(older_text), COUNTS), captions=older_text)
    assert set(shares_of(explanation)) == {("captions",), ("sample counts",), ("captions", "sample counts")}
    assert explanation.outcome == "explained"


def test_more_captions_of_the_same_text_are_no_other_text() -> None:
    explanation = explain(
        run_with("dataset.size_to_max_samples.small=24", "dataset.captions_path=embedded_captions_large.txt")
    )
    assert shares_of(explanation) == {("sample counts",): pytest.approx(1, abs=1e-6)}
    assert explanation.outcome == "explained"


def test_texts_too_short_to_tell_them_apart_are_one_cause(older_text: Path) -> None:
    short = older_text.with_name("short.txt")
    short.write_text("\n".join(older_text.read_text(encoding="utf-8").splitlines()[:7]) + "\n", encoding="utf-8")
    explanation = explain(run_with(*reading(short), COUNTS), captions=short)
    assert shares_of(explanation) == {("captions and sample counts",): pytest.approx(1, abs=1e-6)}


def test_four_causes_have_one_interaction() -> None:
    explanation = explain(run_with(CONFIG, COUNTS, BATCH, "dataset.seq_len=8"))
    assert [len(causes) for causes in shares_of(explanation)] == [1, 1, 1, 1, 4]
    assert explanation.outcome == "explained"


def test_one_pass_serves_what_only_replay_must_do_again(monkeypatch: pytest.MonkeyPatch) -> None:
    baseline = run_with(CONFIG, COUNTS)
    passes = []

    def counted(*arguments: Any, **named: Any) -> Any:
        passes.append(arguments)
        return real(*arguments, **named)

    real = capture
    monkeypatch.setattr(one_pass, "capture", counted)
    assert len(explain(baseline).shares.parts) == 3
    assert len(passes) == 1


def test_shares_come_from_reruns_not_from_the_baselines_words() -> None:
    baseline = run_with(BATCH)
    baseline["calibration"]["batch_size"] = 2
    explanation = explain(baseline)
    assert explanation.outcome == "not explained"
    assert shares_of(explanation)["batch size",] != pytest.approx(1, abs=0.05)


def test_a_setting_without_effect_has_no_share() -> None:
    explanation = explain(run_with(BATCH, "dataset.seq_len=300"))
    assert shares_of(explanation) == {
        ("batch size",): pytest.approx(1, abs=1e-6),
        ("sequence length",): 0,
        ("batch size", "sequence length"): pytest.approx(0, abs=1e-6),
    }


def test_the_same_run_has_no_drift() -> None:
    baseline = run_with()
    baseline["environment"] |= {"torch": "1.13.1", "modelopt": "0.40.0"}
    explanation = explain(baseline)
    assert (explanation.outcome, explanation.causes) == ("no drift", ())
    assert [each.name for each in explanation.untested] == ["ModelOpt", "torch"]


def test_a_drift_is_one_of_scores() -> None:
    baseline = run_with()
    for entry in baseline["layer_sensitivity"].values():
        if entry["predicted_kl"] is not None:
            entry["predicted_kl"] *= 1.05
    assert explain(baseline).outcome == "no drift"


def test_scores_that_nothing_testable_explains_stay_unexplained() -> None:
    baseline = run_with()
    for entry in baseline["layer_sensitivity"].values():
        if entry["importance"] is not None:
            entry["importance"] *= 1.05
    baseline["model"]["checkpoint_sha256"] = "0" * 64
    explanation = explain(baseline)
    assert (explanation.outcome, explanation.causes) == ("not explained", ())
    assert explanation.shares.residual.share == pytest.approx(1)
    assert [each.name for each in explanation.untested] == ["checkpoint"]


def test_a_swapped_baseline_is_explained_by_nothing() -> None:
    baseline = run_with()
    baseline["layer_sensitivity"] = copy.deepcopy(run_with("suite.pairs=[wfp8_afp16]")["layer_sensitivity"])
    assert explain(baseline).outcome == "not explained"


def test_an_older_text_is_found_in_the_history_of_its_file(tmp_path: Path, older_text: Path) -> None:
    file = tmp_path / "own_small.txt"
    git = ("git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=no")
    subprocess.run([*git, "init", "-q"], check=True)  # noqa: S603
    for text in (older_text, ROOT / "sensitivity_cases" / "data" / "embedded_captions_small.txt"):
        file.write_bytes(text.read_bytes())
        subprocess.run([*git, "add", "."], check=True)  # noqa: S603
        subprocess.run([*git, "commit", "-qm", "captions"], check=True)  # noqa: S603
    explanation = explain(run_with(*reading(older_text)), *reading(file))
    assert shares_of(explanation) == {("captions",): pytest.approx(1, abs=1e-6)}
    # The baseline names another file; its text is found in the history of the present one.
    assert explanation.causes[0].old.startswith("own_small.txt of commit ")


def test_an_older_text_that_is_nowhere_is_said_to_be_untested(older_text: Path) -> None:
    explanation = explain(run_with(*reading(older_text)))
    assert explanation.outcome == "not explained"
    (untested,) = explanation.untested
    assert (untested.name, untested.old) == ("captions", "older.txt")
    assert untested.why == "no text here begins with the 16 captions of the baseline; give it with --captions FILE"


def test_a_text_too_short_for_the_older_count_is_said_to_be_untested() -> None:
    baseline = run_with(BATCH)
    baseline["calibration"] |= {"calibrated_samples": 600, "captions_sha256": "0" * 64}
    explanation = explain(baseline)
    assert set(shares_of(explanation)) == {("batch size",)}
    reasons = {each.name: each.why for each in explanation.untested}
    assert list(reasons) == ["captions", "sample counts"]
    assert reasons["sample counts"] == "embedded_captions_large.txt has 512 captions only"


def test_what_cannot_run_here_is_untested_and_the_rest_is_explained() -> None:
    baseline = run_with(BATCH)
    baseline["engine"]["device"] = "cuda"
    baseline["quantization"]["config"]["algorithm"] = "gptq"
    explanation = explain(baseline, "model.devices=[cpu]")
    assert explanation.outcome == "explained"
    assert shares_of(explanation) == {("batch size",): pytest.approx(1, abs=1e-6)}
    reasons = {each.name: each.why for each in explanation.untested}
    assert list(reasons) == ["pair config", "device"]
    assert "is calibrated by 'gptq', which needs the model" in reasons["pair config"]
    assert reasons["device"] == "device 'cuda': the model's `devices` allow cpu only"


def test_what_an_older_manifest_does_not_say_is_named() -> None:
    baseline = run_with(BATCH)
    del baseline["quantization"], baseline["calibration"]["captions_sha256"]
    explanation = explain(baseline)
    assert explanation.unstated == ("pair config", "captions")
    assert shares_of(explanation) == {("batch size",): pytest.approx(1, abs=1e-6)}


@pytest.mark.parametrize("style", ["layers.", "language_model.layers."])
def test_a_baseline_in_an_older_style_of_names_is_explained_too(style: str) -> None:
    baseline = run_with(BATCH)
    baseline["layer_sensitivity"] = {
        name.replace("model.language_model.layers.", style): entry
        for name, entry in baseline["layer_sensitivity"].items()
    }
    shares = shares_of(explain(baseline))
    assert shares["batch size",] == pytest.approx(1, abs=1e-6)
