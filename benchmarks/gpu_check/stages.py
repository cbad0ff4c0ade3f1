"""Running the stages of the check one after the other, whatever becomes of each."""

from __future__ import annotations

import dataclasses
import sys
import time
from typing import TYPE_CHECKING, Any

from benchmarks.gpu_check.table import StageRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from benchmarks.gpu_check.table import Findings, Row


@dataclasses.dataclass(frozen=True, slots=True)
class Stage:
    """One question that the check asks."""

    name: str
    seconds: float
    """A guess of what it takes on a GPU; with less left it is skipped."""
    rows: Callable[[Any], Iterator[Row]]
    """Given what the stages share, yields its figures as it finds them."""
    needs: str = ""
    """A stage that makes what this one looks at: where that failed, trying again would only cost time."""


class Clock:
    """How much of the check's time is left."""

    def __init__(self, minutes: float) -> None:
        """Start to count."""
        self._end = time.perf_counter() + 60 * minutes

    @property
    def left(self) -> float:
        """Seconds."""
        return self._end - time.perf_counter()


def run_stages(
    stages: Sequence[Stage], shared: Any, clock: Clock, findings: Findings, file: Path, pace: float = 1.0
) -> None:
    """Run what still fits; what is found is on the disk at once, so that an early end loses nothing.

    `pace` is how long a stage takes here, as a multiple of its guess.
    """
    for stage in stages:
        record = StageRecord(stage.name)
        findings.stages.append(record)
        record.reason = _why_not(stage, findings, clock, pace)
        if record.reason:
            record.state = "skipped"
        else:
            _run(stage, shared, record, save=lambda: findings.write(file))
        findings.write(file)
        _say(f"{record.name}: {record.state}, {record.seconds:.1f} s{record.reason and f': {record.reason}'}")


def _why_not(stage: Stage, findings: Findings, clock: Clock, pace: float) -> str:
    if any(each.name == stage.needs and each.state == "failed" for each in findings.stages):
        return f"needs the stage '{stage.needs}', which failed"
    if stage.seconds * pace > clock.left:
        return f"takes about {stage.seconds * pace:.0f} s, and {max(clock.left, 0):.0f} s are left"
    return ""


def one_line(error: BaseException) -> str:
    """What an exception says, without its line breaks."""
    return f"{type(error).__name__}: {shortened(str(error))}"


def shortened(text: str) -> str:
    """The beginning of a text as one line."""
    return " ".join(text.split())[:300]


def _run(stage: Stage, shared: Any, record: StageRecord, save: Callable[[], None]) -> None:
    _say(f"{stage.name}: starts")
    start = time.perf_counter()
    try:
        for row in stage.rows(shared):
            record.rows.append(row)
            _say(f"  {row.what}: {row.text}")
            save()
    except Exception as error:  # noqa: BLE001  whatever breaks one stage must not cost the others
        record.state, record.reason = "failed", one_line(error)
    record.seconds = time.perf_counter() - start


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
