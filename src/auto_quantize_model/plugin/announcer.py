"""Showing how far a pass is, whether or not pytest captures output."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, Any

from auto_quantize_model.quoting import visible
from auto_quantize_model.reporting import silent

if TYPE_CHECKING:
    import pytest

    from auto_quantize_model.reporting import Progress

_REDRAW_SECONDS = 0.1


class Announcer:
    """Writes past pytest's capturing: into one line of a terminal, or one line a stage elsewhere."""

    def __init__(self, config: pytest.Config, worker: str | None) -> None:
        """A worker of pytest-xdist has no terminal reporter; its standard error is the controller's."""
        self._config = config
        self._worker = worker

    def announce(self, model: str, cases: int) -> Progress:
        """Start to show a model's pass."""
        if self._config.get_verbosity() < -1:
            return silent
        title = f"{model}: one pass for {cases} case{'s' * (cases != 1)}"
        return _Display(title, self.write, self._rewrite if self._on_terminal() else None)

    def say(self, line: str) -> None:
        """Write a line that is worth attention while a pass runs."""
        if self._config.get_verbosity() >= -1:
            self.write(f"  {line}")

    def _reporter(self) -> Any:
        return self._config.pluginmanager.getplugin("terminalreporter")

    def _on_terminal(self) -> bool:
        reporter = self._reporter()
        return self._worker is None and reporter is not None and bool(reporter.isatty)

    def _uncaptured(self) -> contextlib.AbstractContextManager[None]:
        manager: Any = self._config.pluginmanager.getplugin("capturemanager")
        return contextlib.nullcontext() if manager is None else manager.global_and_fixture_disabled()

    def write(self, text: str) -> None:
        """Write a line of its own."""
        line = visible(text)
        reporter = self._reporter()
        with self._uncaptured():
            if self._worker is not None or reporter is None:
                prefix = "" if self._worker is None else f"[{self._worker}] "
                sys.stderr.write(f"{prefix}{line}\n")
                sys.stderr.flush()
            else:
                reporter.ensure_newline()
                reporter.write_line(line)

    def _rewrite(self, line: str) -> None:
        with self._uncaptured():
            self._reporter().rewrite(line, erase=True)


class _Display:
    """The stages of one pass, each with its count and its time."""

    def __init__(self, title: str, write_line: Any, rewrite: Any) -> None:
        self._write_line = write_line
        self._rewrite = rewrite
        self._stage = ""
        self._drawn = 0.0
        self._reported = time.perf_counter()
        self._seconds: dict[str, float] = {}
        write_line(title)

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.perf_counter()
        # Stages may take turns; what lies before a report belongs to its stage.
        self._seconds[stage] = self._seconds.get(stage, 0.0) + now - self._reported
        self._reported = now
        if stage != self._stage:
            self._stage, self._drawn = stage, 0.0
        if done >= total:
            line = f"  {stage}: {self._seconds.pop(stage):.1f} s"
            if self._rewrite is not None:
                self._rewrite("")
            self._write_line(line)
        elif self._rewrite is not None and now - self._drawn > _REDRAW_SECONDS:
            self._drawn = now
            self._rewrite(f"  {stage}: {done}/{total}")
