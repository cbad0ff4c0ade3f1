"""Which cases of two folders are compared: the same one wherever it lies, and another only if nothing else is meant."""

from __future__ import annotations

import copy
from pathlib import PurePosixPath
from typing import Any

import pytest
from tests.comparison.test_ages import aged

from auto_quantize_model import InputError
from auto_quantize_model.cases.settings import Tolerances
from auto_quantize_model.comparison.side_by_side import compare_sources
from auto_quantize_model.comparison.sources import Source

FILE = "x_quant_manifest.json"


def source(name: str, **manifests: dict[str, Any]) -> Source:
    """Each manifest at the place that its name says, with `__` for a folder."""
    return Source(name, {PurePosixPath(place.replace("__", "/")) / FILE: each for place, each in manifests.items()})


def of(manifest: dict[str, Any], model: str, pair: str, size: str) -> dict[str, Any]:
    result = copy.deepcopy(manifest)
    result["case"] = {"id": f"{model}-{pair}-{size}", "model": model, "pair": pair, "size": size}
    return result


def older(manifest: dict[str, Any], model: str = "qwen3_vl_tiny", scheme: str = "s") -> dict[str, Any]:
    result = aged(manifest)
    result["model"] = {"id": f"/data/models/{model}/checkpoint"}
    result["scheme"] = {**result["scheme"], "name": scheme}
    return result


def pairs(old: Source, new: Source) -> list[tuple[str, str]]:
    return [(each.old, each.new) for each in compare_sources(old, new, Tolerances()).cases]


def test_a_case_is_matched_by_its_name_wherever_it_lies(manifest: dict[str, Any]) -> None:
    one, two = of(manifest, "m", "p", "small"), of(manifest, "m", "p", "large")
    assert pairs(source("A", a=one, b=two), source("B", c=two, d__e=one)) == [
        ("m-p-small", "m-p-small"),
        ("m-p-large", "m-p-large"),
    ]


def test_older_ones_are_matched_by_place_then_folder_then_model_and_scheme(manifest: dict[str, Any]) -> None:
    here = {"a__same": older(manifest, "x"), "b__named": older(manifest, "y"), "c__old": older(manifest, "z", "t")}
    there = {"a__same": older(manifest, "u"), "d__named": older(manifest, "v"), "e__new": older(manifest, "z", "t")}
    assert pairs(source("A", **here), source("B", **there)) == [
        ("a/same", "a/same"),
        ("b/named", "d/named"),
        ("c/old", "e/new"),
    ]
    # Whatever the schemes are called, another model is another.
    there["e__new"] = older(manifest, "w", "t")
    assert pairs(source("A", **here), source("B", **there)) == [("a/same", "a/same"), ("b/named", "d/named")]
    for lacking in ("model", "scheme"):
        new = source("B", a__same=there["a__same"], f__x={**here["c__old"], lacking: {}})
        assert pairs(source("A", **here), new) == [("a/same", "a/same")]


def test_what_two_of_a_side_share_names_neither(manifest: dict[str, Any]) -> None:
    twice = {"a__same": older(manifest, "x"), "b__same": older(manifest, "x"), "c__one": older(manifest, "y")}
    there = {"d__same": older(manifest, "x"), "c__one": older(manifest, "y")}
    compared = compare_sources(source("A", **twice), source("B", **there), Tolerances())
    assert [each.old for each in compared.cases] == ["c/one"]
    assert (compared.only_old, compared.only_new) == (("a/same", "b/same"), ("d/same",))


def test_other_cases_are_matched_only_where_none_is_in_both(manifest: dict[str, Any]) -> None:
    old = source("A", a=of(manifest, "m", "p", "small"), b=of(manifest, "m", "q", "small"))
    sizes = source("B", c=of(manifest, "m", "p", "large"), d=of(manifest, "m", "q", "large"))
    assert pairs(old, sizes) == [("m-p-small", "m-p-large"), ("m-q-small", "m-q-large")]
    models = source("B", c=of(manifest, "n", "q", "small"), d=of(manifest, "n", "p", "small"))
    assert pairs(old, models) == [("m-p-small", "n-p-small"), ("m-q-small", "n-q-small")]
    both = source("B", c=of(manifest, "m", "p", "small"), d=of(manifest, "m", "q", "large"))
    assert pairs(old, both) == [("m-p-small", "m-p-small")]


def test_one_and_one_are_compared_whatever_they_are(manifest: dict[str, Any]) -> None:
    one, other = of(manifest, "m", "p", "small"), of(manifest, "n", "q", "large")
    for old, new in ((one, other), (other, one), (one, one)):
        (compared,) = compare_sources(source("A", a=old), source("B", b=new), Tolerances()).cases
        names = old["case"]["id"], new["case"]["id"]
        assert (compared.old, compared.new) == names
        assert compared.name == (names[0] if old is new else " -> ".join(names))


@pytest.mark.parametrize("one_is_old", [True, False])
def test_one_among_several_that_are_others_is_said_with_the_nearest(manifest: dict[str, Any], one_is_old: bool) -> None:
    several = source("S", a=of(manifest, "m", "pp", "small"), b=of(manifest, "zzz", "yyy", "large"))
    one = source("O", o=of(manifest, "m", "pq", "small"))
    with pytest.raises(InputError, match=r"^S: has no case m-pq-small; did you mean 'm-pp-small'"):
        compare_sources(*((one, several) if one_is_old else (several, one)), Tolerances())


def test_several_without_one_in_common_say_so(manifest: dict[str, Any]) -> None:
    old = source("A", a=of(manifest, "m", "p", "small"), b=of(manifest, "m", "q", "large"))
    new = source("B", c=of(manifest, "n", "r", "x"), d=of(manifest, "o", "s", "y"))
    with pytest.raises(InputError, match=r"^A and B have no case in common; name two manifests"):
        compare_sources(old, new, Tolerances())
