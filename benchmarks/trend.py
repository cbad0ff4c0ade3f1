"""Past runs of a benchmark: which commit was slower, seen by ratios, since seconds are of one machine and one day."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import math
import statistics
from typing import TYPE_CHECKING, Any

import torch

from auto_quantize_model.engine.machine.environment import describe_environment
from auto_quantize_model.errors import InputError
from auto_quantize_model.git import ask_git
from benchmarks.places import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

TREND = ROOT / "benchmarks" / "trend.jsonl"
"""One run a line, the newest last."""
SLOWER = 1.2
"""How many times a ratio must be that of past runs to count as slower: what noise does to one run is less."""
_LOOKED_AT = 5
"""So many of the last runs are compared with, by their median."""


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """One run of a benchmark, with what it is of."""

    model: str
    commit: str
    date: str
    machine: Mapping[str, str]
    ratios: Mapping[str, float]
    """The lower, the faster."""
    figures: Mapping[str, Any]

    @classmethod
    def now(cls, model: str, ratios: Mapping[str, float], figures: Mapping[str, Any]) -> Run:
        """A run that has just ended, on this machine."""
        date = dt.datetime.now(dt.UTC).date().isoformat()
        return cls(model, _commit(), date, describe_environment(torch.device("cpu")), ratios, figures)

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return dataclasses.asdict(self)

    def append_to(self, file: Path) -> None:
        """Become the newest of the past runs."""
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(self.to_json()) + "\n")


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """What became of one ratio."""

    name: str
    before: float
    now: float
    runs: int
    elsewhere: bool
    """Whether a past run is of another machine."""

    @property
    def factor(self) -> float:
        """Over one: slower."""
        return self.now / self.before

    @property
    def slower(self) -> bool:
        """Whether it is by more than noise."""
        return self.factor > SLOWER


def read_past(file: Path, model: str, *, needed: bool) -> list[Run]:
    """The past runs of a model, the newest last; none where none are needed is no error."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        lines = []
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    runs = [each for each in (_run(file, number, line) for number, line in enumerate(lines, 1)) if each.model == model]
    if needed and not runs:
        raise InputError(f"{file}: no past run of {model} to compare with; --record adds one")
    return runs


def _run(file: Path, number: int, line: str) -> Run:
    try:
        run = Run(**json.loads(line))
        # What is no number over zero cannot be compared with.
        logarithms = [math.log(each) for each in run.ratios.values()]
    except (ValueError, TypeError, AttributeError):
        logarithms = [math.nan]
    if not all(map(math.isfinite, logarithms)):
        raise InputError(f"{file}:{number}: is not a past run; remove the line")
    return run


def compared(now: Run, past: Sequence[Run]) -> list[Change]:
    """Every ratio that past runs have too, beside their median."""
    changes = []
    for name, value in now.ratios.items():
        with_it = [each for each in past if name in each.ratios][-_LOOKED_AT:]
        if with_it:
            before = statistics.median(each.ratios[name] for each in with_it)
            elsewhere = any(each.machine != now.machine for each in with_it)
            changes.append(Change(name, before, value, len(with_it), elsewhere))
    return changes


def described(changes: Sequence[Change]) -> Iterator[str]:
    """A line a ratio; which machine the past runs are of where that is not this one."""
    for each in changes:
        verdict = "SLOWER" if each.slower else "faster" if each.factor < 1 / SLOWER else "as before"
        yield (
            f"{each.name:30} {each.now:8.4f}, before {each.before:8.4f} (median of {each.runs}): "
            f"{each.factor:.2f} times, {verdict}"
        )
    if any(each.elsewhere for each in changes):
        yield "past runs are of other machines or versions too: a ratio may differ for that reason"


def _commit() -> str:
    answer = ask_git("describe", "--always", "--dirty", "--exclude", "*", folder=ROOT)
    return "unknown" if answer is None else answer.decode().strip()
