from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from tests.places import ROOT, SUITE

from auto_quantize_model import InputError, load_suite
from auto_quantize_model.captions.nested import SIZE_CAPTIONS as SIZES

if TYPE_CHECKING:
    from pathlib import Path

    from auto_quantize_model import Suite

PAIRS = {
    "wfp4_afp4": ("fp4", "fp4", "NVFP4_DEFAULT_CFG"),
    "wfp4_afp8": ("fp4", "fp8", "W4A8_NVFP4_FP8_CFG"),
    "wfp4_afp16": ("fp4", "fp16", "W4A16_NVFP4_CFG"),
    "wfp8_afp8": ("fp8", "fp8", "FP8_DEFAULT_CFG"),
    "wfp8_afp16": ("fp8", "fp16", "FP8_WEIGHT_ONLY_CFG"),
    "wint8_afp8": ("int8", "fp8", "INT8_WEIGHT_FP8_ACT_CFG"),
    "wint8_afp16": ("int8", "fp16", "INT8_WEIGHT_ONLY_CFG"),
    "wint8_aint8": ("int8", "int8", "INT8_DEFAULT_CFG"),
    "wmxfp4_afp8": ("mxfp4", "fp8", "W4A8_MXFP4_FP8_CFG"),
    "wmxfp4_afp16": ("mxfp4", "fp16", "MXFP4_WEIGHT_ONLY_CFG"),
}


@pytest.fixture
def own_suite(tmp_path: Path) -> Path:
    """The suite and its models without weights or downloaded captions, to break; returns the suite file."""
    shutil.copytree(SUITE.parent, tmp_path / "sensitivity_cases", ignore=shutil.ignore_patterns("coco2017_*"))
    for file in (ROOT / "models").glob("*/model.yaml"):
        (tmp_path / "models" / file.parent.name).mkdir(parents=True)
        shutil.copy(file, tmp_path / "models" / file.parent.name)
    return tmp_path / "sensitivity_cases" / "suite.yaml"


def test_the_matrix_is_pairs_times_sizes(suite: Suite) -> None:
    tiny = suite.select("tiny")
    assert [case.id for case in tiny] == [f"qwen3_vl_tiny-{pair}-{size}" for pair in PAIRS for size in SIZES]
    for case in tiny:
        assert (case.pair.weight, case.pair.activation, case.pair.format.name) == PAIRS[case.pair.name]


def test_sizes_take_the_first_captions(suite: Suite) -> None:
    dataset = suite.cases[0].dataset
    assert [dataset.samples(size) for size in SIZES] == [16, 128, 512]
    capped = load_suite(SUITE, overrides=["dataset.max_calib_samples=100"]).cases[0].dataset
    assert [capped.samples(size) for size in SIZES] == [16, 100, 100]


def test_run_folders_keep_the_published_names(suite: Suite) -> None:
    by_id = {case.id: case for case in suite.cases}
    case = by_id["qwen3_vl_tiny-wfp8_afp16-small"]
    assert case.run_folder.as_posix() == (
        "qwen3_vl_tiny/layer-analysis/weight-fp8-act-fp16/qwen3_vl_tiny_autoquant_wfp8_afp16_lm_small"
    )
    legacy = by_id["qwen3_vl_4b_instruct-wint8_aint8-large"]
    assert legacy.pair.scheme_name == "int8_autoquant_lm_default"
    assert legacy.run_folder.as_posix() == (
        "qwen3_vl_4b_instruct/layer-analysis/weight-int8-act-int8/qwen3_vl_4b_autoquant_int8_lm_large"
    )


def test_models_and_pairs_stand_once_and_in_order(suite: Suite) -> None:
    assert [model.name for model in suite.models] == ["qwen3_vl_tiny", "qwen3_vl_4b_instruct", "smollm2_135m"]
    assert [pair.name for pair in suite.pairs] == list(PAIRS)


def test_a_model_that_was_never_fetched_is_in_the_matrix(own_suite: Path) -> None:
    cases = load_suite(own_suite).select("4b")
    assert len(cases) == len(PAIRS) * len(SIZES)
    case = cases[0]
    assert (case.model.family, case.model.hub_id) == ("qwen3_vl", "Qwen/Qwen3-VL-4B-Instruct")
    assert (case.model.devices, case.model.dtype) == (("cuda",), "bfloat16")
    assert case.checkpoint == own_suite.parents[1] / "models" / "qwen3_vl_4b_instruct" / "checkpoint"
    assert case.captions.files == (own_suite.parent / "data" / "coco2017_captions_small.txt",)
    assert not case.checkpoint.exists()
    assert not case.captions.files[0].exists()


def test_a_models_name_may_have_dashes_and_dots(own_suite: Path) -> None:
    for name in ("Qwen3-0.6B", "Qwen3-0.6B-Base", "a.b_c-"):
        (own_suite.parents[1] / "models" / name).mkdir()
        (own_suite.parents[1] / "models" / name / "model.yaml").write_text("family: causal_lm\n", encoding="utf-8")
    (own_suite.parent / "conf" / "dataset" / "my-captions.yaml").write_text(
        'captions_path: "{size}.txt"\nroot: .\nsize_to_max_samples: {small: 1}\n', encoding="utf-8"
    )
    overrides = [
        "suite.models=[Qwen3-0.6B, Qwen3-0.6B-Base, a.b_c-]",
        "suite.sizes=[small]",
        "suite.dataset=my-captions",
    ]
    suite = load_suite(own_suite, overrides=overrides)
    assert [model.name for model in suite.models] == ["Qwen3-0.6B", "Qwen3-0.6B-Base", "a.b_c-"]
    (case,) = suite.select("Qwen3-0.6B-wint8_afp16-small")
    assert case.run_folder.as_posix() == (
        "Qwen3-0.6B/layer-analysis/weight-int8-act-fp16/Qwen3-0.6B_autoquant_wint8_afp16_lm_small"
    )
    assert len(suite.select("Qwen3-0.6B")) == 2 * len(PAIRS)
    assert len(suite.select("Qwen3-0.6B and not Base")) == len(PAIRS)
    assert len({case.id for case in suite.cases}) == len({case.run_folder for case in suite.cases}) == len(suite.cases)


def test_a_run_folder_may_be_named_for_a_model_with_dashes() -> None:
    override = 'quant_pair.run_folders={Qwen3-0.6B: "published-{size}"}'
    (case, *_) = load_suite(SUITE, overrides=[override]).cases
    assert case.pair.run_folders == {"Qwen3-0.6B": "published-{size}"}


def test_the_kl_method_has_folders_of_its_own() -> None:
    case = load_suite(SUITE, overrides=["autoquant.method=kl_div"]).select("tiny and wfp8_afp8 and small")[0]
    assert case.run_folder.name == "qwen3_vl_tiny_autoquant_wfp8_afp8_lm_small_kl_div"


def test_overrides_reach_every_case() -> None:
    suite = load_suite(SUITE, overrides=["autoquant.batch_size=4", "dataset.seq_len=64", "suite.sizes=[small]"])
    assert len(suite.cases) == len(suite.models) * len(PAIRS)
    assert {(case.autoquant.batch_size, case.dataset.seq_len) for case in suite.cases} == {(4, 64)}


def test_cases_are_frozen_and_selection_keeps_their_order(suite: Suite) -> None:
    chosen = suite.select("wint8 and not (small or medium)")
    assert [case.pair.name for case in chosen if case.model.name == "qwen3_vl_tiny"] == [
        "wint8_afp8",
        "wint8_afp16",
        "wint8_aint8",
    ]
    with pytest.raises(AttributeError):
        chosen[0].size = "small"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("autoquant.batchsize=4", "unknown key 'batchsize'; did you mean 'batch_size'?"),
        ("autoqant.batch_size=4", "unknown section 'autoqant'; did you mean 'autoquant'?"),
        ("autoquant.batch_size=0", "batch_size: input should be greater than or equal to 1 (found 0)"),
        ("autoquant.batch_size=four", "batch_size: input should be a valid integer (found 'four')"),
        ("autoquant.batch_size", "write it as section.key=value"),
        ("autoquant.method=grad", "method: 'grad' is not valid; did you mean 'gradient'?"),
        ("autoquant.device=tpu", "device 'tpu' is unknown; use auto, cpu, cuda or cuda:N"),
        ("dataset.size_to_max_samples.small=200", "must not fall from small (200) to medium (128)"),
        ("dataset.size_to_max_samples.a-b=600", "size_to_max_samples.a-b: a name begins with a letter or digit"),
        ('dataset.captions_path="x{size[a]}.txt"', "only {size} may be in braces"),
        ('dataset.captions_path="{size.__class__}"', "only {size} may be in braces"),
        ("autoquant.batch_size=" + "[" * 3000, "the value is not valid YAML"),
        ("dataset.captions_path=captions_{name}.txt", "only {size} may be in braces"),
        (f"dataset.captions_path={'a' * 300}.txt", "a path has at most 1000 bytes, and 250 from slash to slash"),
        (f"dataset.root={'a/' * 501}", "a path has at most 1000 bytes"),
        (
            'quant_pair.run_folders={qwen3_vl_tiny: "../../out_{size}"}',
            "run_folders.qwen3_vl_tiny: a folder's name begins with a letter or digit",
        ),
        ("suite.pairs=[wint8_a8]", "quant_pair 'wint8_a8' is unknown"),
        ("suite.models=[qwen3_vl_tyni]", "did you mean 'qwen3_vl_tiny'?"),
        (
            "suite.models=[org/Qwen3-0.6B]",
            "models.0: a name begins with a letter or digit, and has only letters, digits, '_', '.' and '-' "
            "(found 'org/Qwen3-0.6B')",
        ),
        ("suite.models=[-x]", "models.0: a name begins with a letter or digit"),
        ("suite.models=['a b']", "models.0: a name begins with a letter or digit"),
        ("suite.models=['']", "models.0: a name begins with a letter or digit"),
        ("suite.models=Qwen3-0.6B", "models: must be a list, for example [one, other] (found 'Qwen3-0.6B')"),
        ("suite.pairs=[w8-a16]", "has only letters, digits, '_' and '.' (found 'w8-a16')"),
        ("model.hub_id=Qwen/Qwen3/x", "hub_id: a Hugging Face id is written owner/name (found 'Qwen/Qwen3/x')"),
        ("model.package=my-model", "package: a package is named as Python imports it, without dashes"),
        ("dataset.size_to_max_samples=16", "size_to_max_samples: must be a mapping of keys to values (found 16)"),
        ("suite.sizes=[]", "sizes: "),
        ("suite.sizes=[small, small]", "sizes: 'small' is listed twice"),
        ("autoquant.batch_size=2020-99-99", "the value is not valid YAML"),
        ("autoquant.effective_bits=true", "effective_bits: input should be a valid number"),
        ("dataset.seq_len=99999999999999999999", "seq_len: input should be less than"),
        ('dataset.root="a\\0b"', "root: a path is neither empty nor has NUL in it"),
        ("quant_pair.name=other", "unknown key 'name'"),
        ("quant_pair.run_folders={qwen3_vl_tiny: fixed}", "must have {size} in it"),
        ("quant_pair.format.nme=X", "unknown key 'format.nme'; did you mean 'name'?"),
        ("suite.tolerances.grup=0.1", "unknown key 'tolerances.grup'; did you mean 'group'?"),
        ("suite.tolerances.across_devices.totl=0.1", "unknown key 'tolerances.across_devices.totl'; did you mean"),
        ("suite.tolerances.group=0.1", "same_environment.group <= group <= across_devices.group must hold, not"),
    ],
)
def test_a_wrong_override_is_one_line(override: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        load_suite(SUITE, overrides=[override])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("suite.yaml", "models: [a\n", "not valid YAML"),
        ("suite.yaml", "- a\n", "must be 'key: value' lines, not a list"),
        ("suite.yaml", "", "must be 'key: value' lines, not nothing"),
        ("suite.yaml", "pairs: [wfp8_afp8]\n", "the key 'models' is missing"),
        ("conf/autoquant/default.yaml", "batch_size: 8\nbatch_size: 9\n", "line 2, column 1"),
        ("conf/autoquant/default.yaml", "name: other\n", "unknown key 'name'"),
        ("conf/autoquant/default.yaml", "batch_size: !!int x\n", "not valid YAML"),
        ("conf/autoquant/default.yaml", "? [a]\n: b\n", "a key must be a word"),
        (
            "conf/quant_pair/wfp8_afp8.yaml",
            "weight: fp8\nactivation: fp8\nformat: {name: X, preset: X, changes: {'*input_quantizer': {}}}\n",
            "give either 'cfg', or 'enable: false'",
        ),
    ],
)
def test_a_wrong_file_is_one_line_that_names_it(own_suite: Path, file: str, text: str, message: str) -> None:
    broken = own_suite.parent / file
    broken.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_suite(own_suite)
    assert message in str(caught.value)
    assert str(broken) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_utf8_is_named(own_suite: Path) -> None:
    own_suite.write_bytes(b"models: [\xff]\n")
    with pytest.raises(InputError, match=r"suite\.yaml: not UTF-8 at byte 9"):
        load_suite(own_suite)


def test_a_missing_suite_offers_its_neighbour(own_suite: Path) -> None:
    with pytest.raises(InputError, match=r"no such file; did you mean 'suite\.yaml'"):
        load_suite(own_suite.with_name("suit.yaml"))


def test_a_selection_of_nothing_offers_the_nearest_name(suite: Suite) -> None:
    with pytest.raises(InputError, match=r"matches none of the \d+ cases; did you mean 'wint8_aint8'\?"):
        suite.select("wint8_aimt8 and small")
