"""What the check found: rows of one table, and the same as JSON."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Literal

from auto_quantize_model.whole_files import replace_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rich.table import Table

    from auto_quantize_model.cases.suite import Case

State = Literal["ran", "failed", "skipped"]
PLAIN_WIDTH = 100
"""Columns of a table that no terminal bounds."""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One figure, and what it should be."""

    what: str
    value: str | float
    aim: str = ""
    ok: bool | None = None
    """Whether the aim is met; None where there is none, or where this run cannot tell."""

    @property
    def text(self) -> str:
        """The value as the table shows it."""
        return self.value if isinstance(self.value, str) else f"{self.value:.4g}"


def short(case: Case) -> str:
    """A case's name where its model is clear."""
    return f"{case.pair.name} {case.size}"


@dataclasses.dataclass(slots=True)
class StageRecord:
    """What became of one stage."""

    name: str
    state: State = "ran"
    seconds: float = 0.0
    reason: str = ""
    """Why it failed or was skipped, in one line."""
    rows: list[Row] = dataclasses.field(default_factory=list)

    @property
    def verdict(self) -> str:
        """As the table shows it."""
        return "" if self.state == "skipped" else "yes" if self.fine else "NO"

    @property
    def fine(self) -> bool:
        """Whether nothing in it is wrong; a stage that was skipped says so, but is not wrong."""
        return self.state != "failed" and all(row.ok is not False for row in self.rows)


@dataclasses.dataclass(slots=True)
class Findings:
    """Everything found so far."""

    about: Mapping[str, str]
    """The machine, and whether this was a rehearsal."""
    stages: list[StageRecord] = dataclasses.field(default_factory=list)

    @property
    def fine(self) -> bool:
        """Whether every stage so far is, and any was run."""
        return all(stage.fine for stage in self.stages) and any(stage.state != "skipped" for stage in self.stages)

    def write(self, file: Path) -> None:
        """Write everything as JSON, in one go, so that what lies there is always whole."""
        file.parent.mkdir(parents=True, exist_ok=True)
        document = {"fine": self.fine, **dataclasses.asdict(self)}
        replace_text(file, json.dumps(document, indent=2) + "\n")

    def table(self) -> Table:
        """The table for people."""
        from rich import box
        from rich.table import Table

        table = Table(title="; ".join(self.about.values()), box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for name in ("stage", "what", "value", "aim", "ok"):
            table.add_column(name, overflow="fold")
        for stage in self.stages:
            state = f"{stage.state}, {stage.seconds:.1f} s"
            table.add_row(stage.name, stage.reason, state, "", stage.verdict, style="bold")
            for row in stage.rows:
                ok = "" if row.ok is None else "yes" if row.ok else "NO"
                table.add_row("", row.what, row.text, row.aim, ok)
        return table


def show(findings: Findings) -> None:
    """Print the table."""
    from rich.console import Console

    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    console.print(findings.table())
