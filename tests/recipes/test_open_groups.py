"""The groups that captions leave open, where the answer is known by construction, and of committed manifests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.places import SUITE
from tests.recipes.committed import files, manifest_file

from auto_quantize_model import Recipe, load_suite, solve_recipe
from auto_quantize_model.manifest.document import read_manifest
from auto_quantize_model.manifest.probe_sums import ProbeSums
from auto_quantize_model.recipes.budget import Budget
from auto_quantize_model.recipes.candidates import Candidates, Part, Source
from auto_quantize_model.recipes.document import recipe_document
from auto_quantize_model.recipes.files import recipe_files
from auto_quantize_model.recipes.guarding import committed, drift, solve_committed
from auto_quantize_model.recipes.open_groups import MoreCaptions, more_captions
from auto_quantize_model.recipes.report import render_recipe
from auto_quantize_model.recipes.solving import solve
from auto_quantize_model.statistics.predicted_kl import caption_kl

if TYPE_CHECKING:
    from numpy.typing import NDArray

CAPTIONS = 128
TOKENS = np.full(CAPTIONS, 10)
# So far apart, in units of what one of 128 captions differs by, 84 % of the draws agree: 2.7 times as many would do.
AHEAD = 0.9945 / np.sqrt(CAPTIONS)


def signed(kl: NDArray[np.float64]) -> NDArray[np.float64]:
    """What one probe saw where each caption adds so much to a predicted KL."""
    return np.sqrt(2 * kl)[None]


def two_groups(first: NDArray[np.float64], second: NDArray[np.float64]) -> Recipe:
    """Two of equal cost in 4 bits or 8, of which a budget of 6 bits lets one have 8; in 8 bits they lose nothing."""
    nothing = np.zeros((1, CAPTIONS))
    sums = {"low": {"a": signed(first), "b": signed(second)}, "high": {"a": nothing, "b": nothing}}
    manifest = read_manifest(manifest_file("wfp4_afp16"))
    sources = []
    for pair in ("low", "high"):
        case = {**manifest["case"], "pair": pair}
        kl = {name: caption_kl(values) for name, values in sums[pair].items()}
        sources.append(Source({**manifest, "case": case}, ProbeSums(TOKENS, sums[pair], kl), pair))
    predicted = [
        [caption_kl(sums[pair][name]).sum() / TOKENS.sum() for pair in ("low", "high")] + [np.inf] for name in "ab"
    ]
    choice = Candidates(
        parts=(Part(("a",), ("a",), 100, 100), Part(("b",), ("b",), 100, 100)),
        sources=tuple(sources),
        predicted=np.array(predicted),
        bits=np.array([4.0, 8.0, 16.0]),
        stored=np.array([4.0, 8.0, 16.0]),
        parameters=200,
    )
    return Recipe(Budget("bits", 6.0), choice, solve(choice, Budget("bits", 6.0)))


def alike(seed: int) -> NDArray[np.float64]:
    """Numbers of mean 0 and deviation 1."""
    values = np.random.default_rng(seed).normal(size=CAPTIONS)
    result: NDArray[np.float64] = (values - values.mean()) / values.std(ddof=1)
    return result


def test_both_of_two_groups_that_compete_are_open_and_take_four_times_the_captions() -> None:
    recipe = two_groups(5.0 + AHEAD + 0.5 * alike(1), 5.0 - 0.5 * alike(1))
    assert recipe.assignment == {"a": "high", "b": "low"}
    document = recipe_document(recipe, None)
    for its, between in zip(document["open"], (["high", "low"], ["low", "high"]), strict=True):
        assert its["between"] == between
        assert (its["times"], its["captions"]) == (4, 512)
        assert (its["size"], its["score_size"]) == ("large", 512)
        assert its["deciding"] == []
    assert document["settled"] == 0


def test_a_caption_that_alone_makes_the_choice_is_named() -> None:
    first, second = 5.0 + 0.05 * alike(1), 5.01 - 0.05 * alike(2)
    first[36] += 4.0
    recipe = two_groups(first, second)
    assert recipe.assignment == {"a": "high", "b": "low"}
    of_a, of_b = recipe_document(recipe, None)["open"]
    ((decides_a,), (decides_b,)) = of_a["deciding"], of_b["deciding"]
    assert (decides_a["caption"], decides_a["for"]) == (37, "high")
    assert (decides_b["caption"], decides_b["for"]) == (37, "low")
    assert decides_a["share"] > 0.9
    without = np.delete(np.arange(CAPTIONS), 36)
    assert first[without].sum() < second[without].sum()


def test_groups_that_are_settled_are_not_among_them() -> None:
    recipe = two_groups(6.0 + 0.5 * alike(1), 5.0 - 0.5 * alike(1))
    assert recipe_document(recipe, None)["open"] == []
    assert "The others are open" not in render_recipe(recipe, None)


def manifest(size: str, calibrated: int, score_size: int | None = 128, most: int | None = None) -> dict[str, Any]:
    return {
        "case": {"size": size},
        "calibration": {"calibrated_samples": calibrated},
        "scheme": {"auto_quantize_score_size": score_size},
        "dataset": {"max_calib_samples": most},
    }


@pytest.mark.parametrize(
    ("given", "captions", "expected"),
    [
        (manifest("small", 16), 32, MoreCaptions("medium", None)),
        (manifest("small", 16), 128, MoreCaptions("medium", None)),
        (manifest("small", 16), 256, MoreCaptions("large", 256)),
        (manifest("medium", 128), 512, MoreCaptions("large", 512)),
        (manifest("medium", 128, score_size=None), 512, MoreCaptions("large", None)),
        (manifest("medium", 128), 1024, None),
        (manifest("medium", 100, most=100), 200, None),
        (manifest("c32", 32), 64, None),
        (manifest("small", 12), 24, None),
    ],
)
def test_the_least_size_that_scores_so_many_is_named(
    given: dict[str, Any], captions: int, expected: MoreCaptions | None
) -> None:
    assert more_captions(given, captions) == expected


def test_the_page_says_of_each_open_group_what_would_settle_it() -> None:
    recipe = solve_recipe(files(size="small"), budget=6)
    written = recipe_files(recipe, None)
    entries = json.loads(written["recipe.json"])["open"]
    stability = recipe.solved.stability
    assert stability is not None
    names = [recipe.choice.parts[row].name for row in np.flatnonzero(stability.shares.max(axis=1) < 0.95)]
    assert [each["group"] for each in entries] == names
    assert {each["size"] for each in entries if each["times"] is not None} == {"medium"}
    for entry in entries:
        (line,) = (line for line in written["recipe.md"].splitlines() if line.startswith(f"|{entry['group']}|`"))
        if entry["times"] is None:
            assert "more than 16 times as many" in line
        else:
            assert f"{entry['captions']}, {entry['times']} times as many: `--size medium`" in line
        for each in entry["deciding"]:
            assert f"{each['caption']} ({each['share']:.0%}, for `{each['for']}`)" in line
    assert any(each["deciding"] for each in entries)


def test_only_a_committed_number_that_hangs_on_few_draws_may_differ() -> None:
    guarded = next(each for each in load_suite(SUITE).recipes if each.id == "smollm2_135m-six_bits")
    recipe, document = solve_committed(guarded), committed(guarded)
    assert document is not None
    assert list(drift(guarded, recipe, document)) == []
    document["open"][0] |= {"times": 4, "captions": 512, "score_size": 512}
    deciding = next(each["deciding"][0] for each in document["open"] if each["deciding"])
    own, deciding["caption"] = deciding["caption"], 7
    told = [line for line in drift(guarded, recipe, document) if line.startswith("recipe.json")]
    assert told == [f"recipe.json: open.deciding.caption is 7, the manifests give {own}"]
