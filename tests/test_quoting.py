"""Names that somebody else wrote, in every place that shows them."""

from __future__ import annotations

import copy
import io
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.manifests import build, group_key
from tests.places import SUITE

from auto_quantize_model import load_suite
from auto_quantize_model.artifacts import render_reports
from auto_quantize_model.errors import CaseError, InputError
from auto_quantize_model.quoting import code, lines_visible, markdown, visible
from auto_quantize_model.reports.aligned_table import aligned_table

if TYPE_CHECKING:
    from collections.abc import Callable

HOSTILE = (
    "a|b",
    "a\n| forged | 0.0 | row |",
    "\x1b[2J",
    "<script>alert(1)</script>",
    "[/b]",
    "x`y``z",
    "\u202egnp.exe",
    "*b*",
)
MARKUP = re.compile(r"(?<!\\)(?:\\\\)*[|`*~\[\]]")


@given(st.text())
def test_a_shown_name_is_one_line_without_control_characters(text: str) -> None:
    assert visible(text).isprintable()
    assert visible(visible(text)) == visible(text)
    assert lines_visible(f"{visible(text)}\n{visible(text)}").count("\n") == 1


@given(st.text(alphabet=st.characters(categories=["Lu", "Ll", "Nd"], include_characters="._-/ ")))
def test_what_means_nothing_stays_as_it_is(text: str) -> None:
    assert visible(text) == text
    assert markdown(text) == text
    assert code(text) == f"`{text}`"


@given(st.text(alphabet=st.sampled_from("ab|`*~[]<>&\\\n\x1b_")) | st.text())
def test_in_markdown_nothing_of_a_name_is_markup(text: str) -> None:
    shown = markdown(text)
    assert shown.isprintable()
    assert not MARKUP.search(shown.replace("\\\\", ""))
    assert "<" not in shown
    assert ">" not in shown
    unescaped = re.sub(r"\\([\\|`*~\[\]])", r"\1", shown)
    assert unescaped.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == visible(text)


@given(st.text(alphabet="ab`| "))
def test_a_code_span_ends_where_the_name_does(text: str) -> None:
    shown = code(text)
    fence = re.match("`+", shown)
    assert fence is not None
    inside = shown[len(fence[0]) : -len(fence[0])]
    if "`" in text:
        assert fence[0] not in inside
        assert inside == f" {text.replace('|', chr(92) + '|')} "
    assert not re.search(r"(?<!\\)\|", shown)


@pytest.mark.parametrize("error", [InputError, CaseError])
@pytest.mark.parametrize("name", HOSTILE)
def test_every_error_is_one_line(error: Callable[[str], Exception], name: str) -> None:
    assert str(error(f"{name}: no such thing")).isprintable()


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_of_a_layer_forges_a_row_of_a_report(name: str) -> None:
    (case,) = load_suite(SUITE).select("tiny and wfp8_afp8 and small")
    manifest = build(case)
    plain = render_reports(manifest)["per-layer-sensitivity.md"]
    shown = render_reports(renamed(manifest, name))["per-layer-sensitivity.md"]
    assert len(shown.splitlines()) == len(plain.splitlines())
    assert [len(cells(line)) for line in shown.splitlines()] == [len(cells(line)) for line in plain.splitlines()]
    assert all(line.isprintable() for line in shown.splitlines())
    assert "<script" not in re.sub(r"(`+).+?\1", "", shown)


def renamed(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    other = copy.deepcopy(manifest)
    other["layer_sensitivity"] = {
        f"{name}.quant_recipe" if key == group_key(0) else key: entry
        for key, entry in manifest["layer_sensitivity"].items()
    }
    other["scheme"]["name"] = other["case"]["id"] = other["model"]["id"] = other["dataset"]["name"] = name
    return other


def cells(line: str) -> list[str]:
    return re.split(r"(?<!\\)\|", line)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_terminals_tables_show_names_as_text(name: str) -> None:
    from rich.console import Console

    from auto_quantize_model.cli.console import Column, say, table

    assert all(line.isprintable() for line in aligned_table([("case", "verdict"), (name, "drift")]))
    shown = io.StringIO()
    console = Console(file=shown, width=200)
    console.print(table([Column("case")], [(name,)]))
    say(console, f"only in A: {name}")
    assert visible(name) in shown.getvalue()
    assert "\x1b" not in shown.getvalue()
