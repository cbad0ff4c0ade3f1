from __future__ import annotations

import keyword

import pytest
from _pytest.mark import expression as expression_of_pytest
from _pytest.mark.expression import Expression
from hypothesis import given
from hypothesis import strategies as st

from auto_quantize_model.cases.expression import compile_expression
from auto_quantize_model.errors import InputError

IDS = ["qwen3_vl_tiny-wint8_afp16-small", "qwen3_vl_tiny-wfp8_afp8-large", "llama-wmxfp4_afp8-medium", "x[1-2.5]"]
NAMES = st.sampled_from(["tiny", "wint8", "LARGE", "afp8-l", "nowhere", "x[1-2.5]", "_a", "8"])
EXPRESSIONS = st.recursive(
    NAMES,
    lambda inner: st.one_of(
        inner.map(lambda a: f"not {a}"),
        inner.map(lambda a: f"({a})"),
        st.tuples(inner, inner).map(" and ".join),
        st.tuples(inner, inner).map(" or ".join),
    ),
    max_leaves=8,
)
# Its name changed between versions of pytest.
PYTEST_SYNTAX_ERROR = getattr(expression_of_pytest, "ParseError", SyntaxError)


def by_pytest(expression: str, name: str) -> bool:
    return Expression.compile(expression).evaluate(lambda part, /, **_: part.lower() in name.lower())


@given(EXPRESSIONS)
def test_selects_what_pytest_selects(expression: str) -> None:
    matches = compile_expression(expression)
    assert [matches(name) for name in IDS] == [by_pytest(expression, name) for name in IDS]


@given(st.text(alphabet="ab-[]().:+/\\_ !and or not(", max_size=20))
def test_accepts_and_refuses_what_pytest_does(text: str) -> None:
    if not text.strip() or any(keyword.iskeyword(word) and word not in {"and", "or", "not"} for word in text.split()):
        return
    try:
        expected = [by_pytest(text, name) for name in IDS]
    except PYTEST_SYNTAX_ERROR:
        with pytest.raises(InputError):
            compile_expression(text)
    else:
        matches = compile_expression(text)
        assert [matches(name) for name in IDS] == expected


def test_an_empty_expression_selects_everything() -> None:
    assert compile_expression("  ")("anything")


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("tiny and", "-k 'tiny and': expected a name, 'not' or '(', found the end"),
        ("(tiny", "-k '(tiny': expected ')', found the end"),
        ("tiny small", "-k 'tiny small': expected 'and', 'or' or the end, found 'small'"),
        ("tiny & small", "-k 'tiny & small': unexpected '&' at column 6"),
    ],
)
def test_a_mistake_is_one_line(expression: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        compile_expression(expression)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
