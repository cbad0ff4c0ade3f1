"""An error of the plugin's own, in whichever hook: one line, and the traceback for who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.plugin.projects import lines_with

from auto_quantize_model.plugin import collection
from auto_quantize_model.plugin.session import Session

if TYPE_CHECKING:
    from tests.plugin.projects import Project

HOOKS = ("start", "plan", "share_out", "head_lines", "finish", "summary_lines")


def broken(*_: Any, **__: Any) -> Any:
    raise KeyError("first\nsecond")


@pytest.mark.parametrize("name", HOOKS)
def test_it_is_one_line(project: Project, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(Session, name, broken)
    result = project.run("--collect-only", "-q")
    assert result.ret == pytest.ExitCode.INTERNAL_ERROR
    lines = lines_with(result, "a bug of this program's, not yours: KeyError: ")
    assert lines
    for line in lines:
        assert "(test_unforeseen.py:" in line
        assert "add --full-trace to see the traceback, and report it" in line
    assert not lines_with(result, "INTERNALERROR")
    assert not lines_with(result, "Traceback")


def test_who_asks_sees_the_traceback(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "plan", broken)
    result = project.run("--collect-only", "-q", "--full-trace")
    assert lines_with(result, "test_unforeseen.py")
    assert lines_with(result, "KeyError")


def test_in_a_file_that_is_collected(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collection, "parametrize", broken)
    result = project.run("--collect-only", "-q")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert lines_with(result, "a bug of this program's, not yours: KeyError: ")
    assert not lines_with(result, "Exit: ")
    assert not lines_with(result, "Traceback")


def test_a_mistake_of_the_users_is_no_bug(project: Project) -> None:
    result = project.run("--collect-only", "-q", "--sensitivity-model-path", "nosuch=here")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert lines_with(result, "nosuch")
    assert not lines_with(result, "a bug of this program's")
