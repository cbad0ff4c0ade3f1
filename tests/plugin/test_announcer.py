from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from auto_quantize_model.plugin.announcer import Announcer


@pytest.fixture
def config() -> Any:
    """A session's without a terminal reporter and without capturing: lines go to the standard error."""
    plugins = SimpleNamespace(getplugin=lambda _: None)
    return SimpleNamespace(get_verbosity=lambda: 0, pluginmanager=plugins)


def test_stages_that_take_turns_each_have_their_own_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], config: Any
) -> None:
    now = 100.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    progress = Announcer(config, worker=None).announce("a model", 2)
    for done in (0, 1):
        for stage, at, seconds in (("modelopt", done, 0.0), ("load", done, 0.0), ("load", done + 1, 1.0)):
            now += seconds
            progress(stage, at, 2)
        now += 10.0
    progress("modelopt", 2, 2)
    assert capsys.readouterr().err.splitlines() == [
        "a model: one pass for 2 cases",
        "  load: 2.0 s",
        "  modelopt: 20.0 s",
    ]
