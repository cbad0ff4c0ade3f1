from __future__ import annotations

import time
from typing import TYPE_CHECKING

from auto_quantize_model.plugin.announcer import _Display

if TYPE_CHECKING:
    import pytest


def test_stages_that_take_turns_each_have_their_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    lines: list[str] = []
    display = _Display("a model", lines.append, None)
    for done in (0, 1):
        for stage, at, seconds in (("modelopt", done, 0.0), ("load", done, 0.0), ("load", done + 1, 1.0)):
            now += seconds
            display(stage, at, 2)
        now += 10.0
    display("modelopt", 2, 2)
    assert lines == ["a model", "  load: 2.0 s", "  modelopt: 20.0 s"]
