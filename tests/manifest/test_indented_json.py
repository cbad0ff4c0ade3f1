from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.places import ROOT

from auto_quantize_model.manifest.indented_json import indented

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner), max_leaves=30
)


def standard(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)


@given(VALUES)
def test_the_text_is_the_standard_librarys(value: Any) -> None:
    assert indented(value) == standard(value)


def test_it_is_for_every_committed_artifact() -> None:
    files = sorted(ROOT.glob("models/*/layer-analysis/**/*.json"))
    assert len(files) >= 108
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert indented(json.loads(text)) == text.removesuffix("\n")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [-float("inf")]}])
def test_a_number_that_json_has_not_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="is no JSON number"):
        indented(value)


@pytest.mark.parametrize("value", [{1: 2}, {"a": {1, 2}}, b"bytes"])
def test_what_json_has_not_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="is no "):
        indented(value)
