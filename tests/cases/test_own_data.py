"""A suite with data and sizes of its own: what its files may say, and which captions each case gets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from auto_quantize_model import InputError, Suite, load_suite
from auto_quantize_model.cases.builtin import builtin_folder
from auto_quantize_model.cases.settings import usual_size
from auto_quantize_model.plan import plan_passes

if TYPE_CHECKING:
    from pathlib import Path

SIZES = "sizes: {smoke: 4, c32: 32}\n"
MINE = "dataset: mine\n"


class Own:
    """A suite of one model and pair, with forty captions of two lines in `data/mine.jsonl`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("models/one/model.yaml", "family: causal_lm\n")
        self.write("conf/dataset/mine.yaml", "files: [data/mine.jsonl]\n")
        lines = [json.dumps({"text": f"caption {number}\nof two lines"}) for number in range(40)]
        self.write("data/mine.jsonl", "\n".join(lines))
        self.suite(SIZES + MINE)

    def write(self, name: str, text: str) -> Path:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def suite(self, text: str) -> None:
        self.write("suite.yaml", f"models: [one]\npairs: [wfp8_afp8]\n{text}")

    def load(self, *overrides: str) -> Suite:
        return load_suite(self.folder / "suite.yaml", overrides=overrides)

    def error(self, *overrides: str) -> str:
        with pytest.raises(InputError) as caught:
            plan_passes(self.load(*overrides).cases)
        assert str(caught.value).isprintable()
        return str(caught.value)


@pytest.fixture
def own(tmp_path: Path) -> Own:
    return Own(tmp_path / "own")


def test_sizes_have_names_and_numbers_of_ones_own(own: Own) -> None:
    suite = own.load()
    assert [case.id for case in suite] == ["one-wfp8_afp8-smoke", "one-wfp8_afp8-c32"]
    assert [case.dataset.samples(case.size) for case in suite] == [4, 32]
    assert suite.cases[1].run_folder.name == "one_autoquant_wfp8_afp8_lm_c32"
    assert suite.select("c32") == suite.cases[1:]
    (plan,) = plan_passes(suite.cases)
    smoke, c32 = (plan.size_of(case) for case in suite)
    assert plan.captions[:2] == ("caption 0\nof two lines", "caption 1\nof two lines")
    assert (len(plan.captions), smoke.samples, c32.samples) == (32, 4, 32)
    assert smoke.captions_sha256 != c32.captions_sha256
    assert not suite.data_unnamed


def test_sizes_go_by_their_numbers_in_whichever_order_they_are_written(own: Own) -> None:
    own.suite(f"{MINE}sizes: {{c32: 32, alpha: 40, smoke: 4}}\n")
    assert [case.size for case in own.load()] == ["smoke", "c32", "alpha"]
    own.write(
        "conf/dataset/mine.yaml", "files: [data/mine.jsonl]\nsize_to_max_samples: {large: 9, medium: 8, small: 7}\n"
    )
    own.suite(MINE)
    assert [case.size for case in own.load()] == ["small", "medium", "large"]


def test_every_size_begins_the_next_whatever_takes_part(own: Own) -> None:
    (alone,) = plan_passes(own.load().select("smoke"))
    (together,) = plan_passes(own.load().cases)
    assert alone.captions == together.captions[:4]
    hashes = [plan.size_of(plan.cases[0]).captions_sha256 for plan in (alone, together)]
    assert hashes[0] == hashes[1]


def test_a_suite_that_states_no_sizes_has_the_datasets(own: Own) -> None:
    own.write("conf/dataset/mine.yaml", "files: [data/mine.jsonl]\nsize_to_max_samples: {tiny: 2, some: 20}\n")
    own.suite(MINE)
    assert [case.size for case in own.load()] == ["tiny", "some"]
    own.suite(f"{MINE}sizes: [some]\n")
    assert [case.size for case in own.load()] == ["some"]


def test_sizes_of_ones_own_take_the_embedded_captions_too(own: Own) -> None:
    own.suite("sizes: {smoke: 4, small: 16, c32: 32, all: 512}\n")
    suite = own.load()
    files = [case.captions.files[0].name for case in suite]
    assert files == [f"embedded_captions_{size}.txt" for size in ("small", "small", "medium", "large")]
    assert suite.cases[0].data_root == builtin_folder()
    assert suite.data_unnamed == suite.cases
    (plan,) = plan_passes(suite.cases)
    assert len(plan.captions) == 512
    own.suite("sizes: {many: 600}\n")
    assert "embedded_captions_large.txt: size 'many' needs 600 captions, but the file has 512" in own.error()


def test_an_override_may_change_one_size_or_all(own: Own) -> None:
    assert own.load("suite.sizes.c32=33").cases[0].dataset.size_to_max_samples == {"smoke": 4, "c32": 33}
    assert [case.size for case in own.load("suite.sizes={x: 1}")] == ["x"]
    assert own.error("dataset.size_to_max_samples.smoke=2").endswith(
        "gives its sizes numbers of captions, which go before dataset.size_to_max_samples; override suite.sizes"
    )


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (
            "{smo-ke: 4}",
            "sizes.smo-ke: a name begins with a letter or digit, and has only letters, digits, '_' and '.'",
        ),
        ("{../x: 4}", "sizes.../x: a name begins with a letter or digit"),
        ("{small: 8, large: 4}", "sizes: must not fall from small (8) to large (4): sizes are nested"),
        ("{a: 0}", "sizes.a: input should be greater than or equal to 1 (found 0)"),
        ("{a: four}", "sizes.a: input should be a valid integer (found 'four')"),
        ("{a: 4, b: }", "sizes: give every size its number of captions, or list the names alone"),
        ("{}", "sizes: "),
        ("[]", "sizes: "),
        ("5", "sizes: must be a mapping of keys to values (found 5)"),
        ("{4: 4}", "sizes.4: input should be a valid string (found 4)"),
        ("[a, a]", "sizes: 'a' is listed twice"),
        ("[[a]]", "sizes: is a list of names, or a mapping of names to numbers of captions"),
        ("[{a: 4}]", "sizes: is a list of names, or a mapping of names to numbers of captions"),
        (
            "[smal]",
            "has no size 'smal': give it a number (sizes: {smal: 32}), or name another; did you mean 'small'?",
        ),
        ("{a: 4, a: 8}", "the key 'a' is given twice"),
    ],
)
def test_wrong_sizes_are_one_line(own: Own, sizes: str, message: str) -> None:
    own.suite(f"{MINE}sizes: {sizes}\n")
    error = own.error()
    assert error.startswith(f"{own.folder / 'suite.yaml'}")
    assert message in error


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ("root: data", "mine.yaml: give either 'files', or 'captions_path' with a file a size"),
        ("files: [data/mine.jsonl]\ncaptions_path: a.txt", "mine.yaml: give either 'files', or 'captions_path'"),
        ("files: data/mine.jsonl", "files: must be a list, for example [one, other] (found 'data/mine.jsonl')"),
        ("files: [data/mine.jsonl, data/mine.jsonl]", "files: 'data/mine.jsonl' is listed twice"),
        ('files: [""]', "files.0: a path is neither empty nor has NUL in it"),
        ("file: [data/mine.jsonl]", "unknown key 'file'; did you mean 'files'?"),
        ("files: [data/mine.jsonl]\ntext_key: a\nmessages_key: b", "give either 'text_key' or 'messages_key'"),
        ('files: [data/mine.jsonl]\ntext_key: ""', "text_key: a key of a record has 1 to 250 characters"),
        ("files: [data/mine.jsonl]\nmax_chars: 0", "max_chars: input should be greater than or equal to 1 (found 0)"),
        ("files: [data/mine.jsonl]\nmax_chars: 9", "mine.jsonl: no caption of at most 9 characters"),
        ("files: [data/mien.jsonl]", "mien.jsonl: no such file; did you mean 'mine.jsonl'?"),
        ("files: [data/mine.jsonl]\ntext_key: body", "mine.jsonl: line 1: no key 'body'; valid: text"),
        ("files: [data/mine.jsonl]\nmax_calib_samples: 2\nmax_chars: 50\nseq_len: 1", "seq_len: input should be"),
    ],
)
def test_a_wrong_dataset_is_one_line(own: Own, dataset: str, message: str) -> None:
    own.write("conf/dataset/mine.yaml", f"{dataset}\n")
    assert message in own.error()


def test_too_few_captions_are_no_smaller_sample(own: Own) -> None:
    own.suite(f"{MINE}sizes: {{c41: 41}}\n")
    assert own.error() == (
        f"{own.folder / 'data/mine.jsonl'}: size 'c41' needs 41 captions, but the file has 40; "
        "add captions, or lower the number in the suite's sizes or dataset.size_to_max_samples"
    )


def test_several_files_make_one_text(own: Own) -> None:
    own.write("data/more.txt", "a caption a line\n" * 5)
    own.write("conf/dataset/mine.yaml", "root: data\nfiles: [mine.jsonl, more.txt]\n")
    own.suite(f"{MINE}sizes: {{c41: 41}}\n")
    (plan,) = plan_passes(own.load().cases)
    assert plan.captions[-2:] == ("caption 39\nof two lines", "a caption a line")


def test_a_recipe_takes_the_usual_size_or_the_largest(own: Own) -> None:
    own.write("conf/recipe/six.yaml", "budget: {bits: 6}\npairs: [wfp8_afp8]\n")
    own.suite(f"{SIZES}{MINE}recipes: [six]\n")
    (recipe,) = own.load().recipes
    assert [case.size for case in recipe.cases] == ["c32"]
    assert usual_size({"small": 16, "medium": 128, "large": 512}) == "medium"
    own.write("conf/recipe/six.yaml", "budget: {bits: 6}\npairs: [wfp8_afp8]\nsize: smok\n")
    assert own.error().endswith("recipe 'six': dataset 'mine' has no size 'smok'; did you mean 'smoke'?")
    own.write("conf/recipe/six.yaml", "budget: {bits: 6}\npairs: [wfp8_afp8]\nsize: smoke\n")
    assert not own.load("suite.sizes={other: 2}").recipes
