from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.places import TINY

from auto_quantize_model.manifest.structure import manifest_structure, structure

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, max_size=4)
    ),
    max_leaves=12,
)


def a_manifest() -> dict[str, Any]:
    file = next(TINY.glob("layer-analysis/*/*_small/*_quant_manifest.json"))
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


@given(VALUES)
def test_it_is_json_and_the_same_however_often_a_list_repeats(value: object) -> None:
    once = structure([value])
    assert json.loads(json.dumps(once)) == once
    assert structure([value, value, value]) == once


@given(st.lists(VALUES, max_size=4))
def test_the_order_of_a_list_does_not_matter(values: list[object]) -> None:
    assert json.dumps(structure(values), sort_keys=True) == json.dumps(structure(values[::-1]), sort_keys=True)


def test_types_that_mix_stand_side_by_side() -> None:
    assert structure({"a": [1, None, 2.5, "x", True]}) == {"a": ["boolean | integer | null | number | string"]}
    assert structure([{"a": 1, "b": 1}, {"a": None}]) == [{"a": "integer | null", "b?": "integer"}]
    assert structure([[1], [], None]) == [{"<one of>": ["null", ["integer"]]}]
    assert structure([]) == []


def test_values_and_names_of_layers_do_not_matter() -> None:
    manifest = a_manifest()
    other = copy.deepcopy(manifest)
    other["layer_sensitivity"] = {f"renamed.{name}": entry for name, entry in manifest["layer_sensitivity"].items()}
    other["autoquant_state"]["score"] *= 2
    assert manifest_structure(other) == manifest_structure(manifest)


def test_keys_and_types_do_matter() -> None:
    manifest = a_manifest()
    expected = manifest_structure(manifest)
    renamed, retyped, added = (copy.deepcopy(manifest) for _ in range(3))
    first = next(iter(renamed["layer_sensitivity"].values()))
    first["standard_error"] = first.pop("stderr")
    next(iter(retyped["layers"].values()))["quantized"] = 1
    added["calibration"]["seed"] = 0
    for changed in (renamed, retyped, added):
        assert manifest_structure(changed) != expected
