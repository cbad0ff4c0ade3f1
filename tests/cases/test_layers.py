"""What a suite elsewhere sees: the built-in configuration, with what it changes or adds."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.places import ROOT, SUITE

from auto_quantize_model import InputError, Suite, load_suite
from auto_quantize_model.captions.nested import SIZE_CAPTIONS as SIZES
from auto_quantize_model.cases.builtin import builtin_folder
from auto_quantize_model.cases.settings import AutoQuantSettings, Tolerances

DATASET = "captions_path: x_{size}.txt\nsize_to_max_samples: {small: 1, medium: 2, large: 3}\n"


class Elsewhere:
    """A suite in a folder of its own: one model, and whatever files a test adds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("suite.yaml", "models: [mine]\n")
        self.write("models/mine/model.yaml", "family: causal_lm\n")

    def write(self, name: str, text: str) -> Path:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def load(self, *overrides: str) -> Suite:
        return load_suite(self.folder / "suite.yaml", models_root=self.folder / "models", overrides=overrides)

    def error(self, *overrides: str) -> str:
        with pytest.raises(InputError) as caught:
            self.load(*overrides)
        assert "\n" not in str(caught.value)
        return str(caught.value)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Elsewhere:
    return Elsewhere(tmp_path / "elsewhere")


def test_a_suite_may_name_its_models_only(elsewhere: Elsewhere, suite: Suite) -> None:
    found = elsewhere.load()
    assert [case.id for case in found.cases] == [f"mine-{pair.name}-{size}" for pair in suite.pairs for size in SIZES]
    assert found.pairs == suite.pairs
    assert {case.dataset.name for case in found.cases} == {"embedded_captions"}
    assert all(file.is_file() for case in found.cases for file in case.captions.files)
    assert found.cases[0].autoquant == AutoQuantSettings(name="default")
    assert found.tolerances == Tolerances()


def test_a_suites_own_pairs_come_after_the_built_in_ones(elsewhere: Elsewhere, suite: Suite) -> None:
    for name in ("a_pair_10", "a_pair_9"):
        elsewhere.write(f"conf/quant_pair/{name}.yaml", "weight: fp8\nactivation: fp8\nformat: FP8_DEFAULT_CFG\n")
    elsewhere.write("conf/quant_pair/wint8_aint8.yaml", "scheme: changed\n")
    elsewhere.write("conf/quant_pair/.a_pair_9.yaml", "an editor's leftover")
    names = [case.pair.name for case in elsewhere.load("suite.sizes=[small]").cases]
    assert names == [*(pair.name for pair in suite.pairs), "a_pair_9", "a_pair_10"]
    assert len(elsewhere.load("suite.pairs=[a_pair_10, wfp8_afp8]").cases) == 6


def test_an_own_file_changes_only_the_keys_that_it_states(elsewhere: Elsewhere, suite: Suite) -> None:
    before = {pair.name: pair for pair in suite.pairs}
    elsewhere.write("conf/quant_pair/wint8_aint8.yaml", "scheme: changed\n")
    elsewhere.write("conf/dataset/embedded_captions.yaml", "max_calib_samples: 5\n")
    found = elsewhere.load()
    after = {pair.name: pair for pair in found.pairs}
    assert after.pop("wint8_aint8") == before.pop("wint8_aint8").model_copy(update={"scheme": "changed"})
    assert after == before
    assert found.cases[0].dataset == suite.cases[0].dataset.model_copy(update={"max_calib_samples": 5})


def test_an_own_key_replaces_the_built_in_key_as_a_whole(elsewhere: Elsewhere) -> None:
    elsewhere.write("conf/quant_pair/wfp8_afp16.yaml", "format: {name: OTHER, preset: FP8_DEFAULT_CFG}\n")
    (pair,) = elsewhere.load("suite.pairs=[wfp8_afp16]").pairs
    assert (pair.weight, pair.format.name, pair.format.changes) == ("fp8", "OTHER", {})


def test_an_override_wins_over_both(elsewhere: Elsewhere) -> None:
    elsewhere.write("conf/autoquant/default.yaml", "batch_size: 4\nscore_size: 32\n")
    autoquant = elsewhere.load("autoquant.batch_size=2").cases[0].autoquant
    assert (autoquant.batch_size, autoquant.score_size) == (2, 32)


@pytest.mark.parametrize(
    ("own", "overrides", "from_own"),
    [
        (None, (), False),
        ("max_calib_samples: 5\n", (), False),
        ("root: data\n", (), True),
        (None, ("dataset.root=data",), True),
        (None, ("dataset.seq_len=64",), False),
    ],
)
def test_a_root_starts_from_the_folder_that_states_it(
    elsewhere: Elsewhere, own: str | None, overrides: tuple[str, ...], from_own: bool
) -> None:
    if own is not None:
        elsewhere.write("conf/dataset/embedded_captions.yaml", own)
    start = elsewhere.folder if from_own else builtin_folder()
    assert elsewhere.load(*overrides).cases[0].captions.files == (start / "data" / "embedded_captions_small.txt",)


def test_each_dataset_has_a_root_of_its_own(elsewhere: Elsewhere) -> None:
    elsewhere.write("conf/dataset/mine.yaml", f"root: texts\n{DATASET}")
    elsewhere.write("suite.yaml", "models: [mine, other]\n")
    elsewhere.write("models/other/model.yaml", "family: causal_lm\ndataset: mine\n")
    roots = {case.model.name: case.data_root for case in elsewhere.load().cases}
    assert roots == {"mine": builtin_folder(), "other": elsewhere.folder}


def test_a_suite_that_is_the_built_in_one_is_named_as_it_was_given(
    elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert load_suite(SUITE.relative_to(ROOT)).cases[0].data_root == Path("sensitivity_cases")
    monkeypatch.chdir(elsewhere.folder)
    monkeypatch.setattr("auto_quantize_model.cases.layers.builtin_folder", lambda: elsewhere.folder)
    file = elsewhere.write("conf/quant_pair/mine.yaml", "{").relative_to(elsewhere.folder)
    with pytest.raises(InputError, match=rf"^{file}, line 1"):
        load_suite("suite.yaml", models_root="models")


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("conf/quant_pair/wfp8_afp8.yaml", "weigth: fp8\n", "unknown key 'weigth'; did you mean 'weight'?"),
        ("conf/quant_pair/wfp8_afp8.yaml", "weight: 8\n", "weight: input should be a valid string (found 8)"),
        ("conf/quant_pair/wfp8_afp8.yaml", "name: other\n", "unknown key 'name'"),
        ("conf/quant_pair/mine.yaml", "weight: fp8\nactivation: fp8\n", "the key 'format' is missing"),
        ("conf/dataset/embedded_captions.yaml", "size_to_max_samples: {small: 900, large: 512}\n", "must not fall"),
        ("conf/dataset/embedded_captions.yaml", "{", "not valid YAML"),
        ("conf/autoquant/default.yaml", "batch_size: none\n", "batch_size: input should be a valid integer"),
        ("conf/quant_pair/mine.yml", "weight: fp8\n", "only files that end in .yaml are read; rename it to mine.yaml"),
    ],
)
def test_a_wrong_own_file_is_named_and_not_the_built_in_one(
    elsewhere: Elsewhere, file: str, text: str, message: str
) -> None:
    broken = elsewhere.write(file, text)
    error = elsewhere.error()
    assert error.startswith(str(broken))
    assert message in error
    assert str(builtin_folder()) not in error


def test_a_wrong_override_of_a_built_in_file_names_both(elsewhere: Elsewhere) -> None:
    file = builtin_folder() / "conf" / "autoquant" / "default.yaml"
    assert elsewhere.error("autoquant.batch_size=0").startswith(f"{file} with override autoquant.batch_size=0: ")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("suite.pairs=[wint8_aint9]", "quant_pair 'wint8_aint9' is unknown"),
        ("suite.pairs=[wint8_aint9]", "did you mean 'wint8_aint8'?"),
        ("suite.pairs=[house_blend_2]", "did you mean 'house_blend_1'?"),
        ("suite.dataset=embeded_captions", "did you mean 'embedded_captions'?"),
        ("suite.autoquant=defualt", "did you mean 'default'?"),
    ],
)
def test_an_unknown_name_offers_own_and_built_in_ones(elsewhere: Elsewhere, wrong: str, message: str) -> None:
    pair = "weight: fp8\nactivation: fp8\nformat: FP8_DEFAULT_CFG\n"
    elsewhere.write("conf/quant_pair/house_blend_1.yaml", pair)
    error = elsewhere.error(wrong)
    assert error.startswith(f"{elsewhere.folder / 'suite.yaml'}: ")
    assert message in error


def test_an_unknown_dataset_is_an_error_of_the_model_that_names_it(elsewhere: Elsewhere) -> None:
    file = elsewhere.write("models/mine/model.yaml", "family: causal_lm\ndataset: embeded_captions\n")
    assert elsewhere.error().startswith(f"{file}: dataset 'embeded_captions' is unknown: ")
