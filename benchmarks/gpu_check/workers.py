"""Several processes on one capture folder, and how often the device is waited for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from auto_quantize_model import load_suite
from auto_quantize_model.errors import CaseError
from auto_quantize_model.manifest.document import dumps
from benchmarks.gpu_check.table import Row
from benchmarks.measuring import manifest_of, run
from benchmarks.places import SUITE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auto_quantize_model.cases.suite import Case
    from benchmarks.gpu_check.shared import Shared

PRECISIONS = ("exact", "tensor_core")
WORKERS = 2
SECONDS = 180
"""After these a worker hangs."""


def workers(shared: Shared) -> Iterator[Row]:
    """The embedded matrix by two processes that share its capture, against one process alone."""
    expected = {each.case.id: dumps(manifest_of(each)) for each in shared.embedded}
    folder = shared.folder / "shared"
    outputs = [shared.folder / f"worker{number}" for number in range(WORKERS)]
    started = [_start(shared, number, folder, output) for number, output in enumerate(outputs)]
    try:
        notices = [_finished(number, process) for number, process in enumerate(started)]
    finally:
        for process in started:
            process.kill()
            process.wait()
    for number, (output, said) in enumerate(zip(outputs, notices, strict=True)):
        found = {file.stem: file.read_text(encoding="utf-8") for file in output.glob("*.json")}
        same = sum(found.get(each) == text for each, text in expected.items())
        text = f"{same} of {len(expected)} the same"
        yield Row(f"manifests of worker {number + 1} as of one process", text, "all", same == len(expected))
        if said:
            yield Row("  it says", said)


def work(device: str, shared: Path, output: Path, expression: str) -> None:
    """What one worker does."""
    from auto_quantize_model import CaptureSettings

    cases = load_suite(SUITE).select(expression)
    output.mkdir(parents=True)
    results = run(cases, "replay", device, captures=CaptureSettings(shared=shared), notice=_notice)
    for result in results:
        (output / f"{result.case.id}.json").write_text(dumps(manifest_of(result)), encoding="utf-8")


def _notice(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _start(shared: Shared, number: int, folder: Path, output: Path) -> subprocess.Popen[str]:
    places = ("--worker", str(output), "--shared", str(folder))
    arguments = (*places, "--device", shared.device.name, "--cases", shared.scale.embedded)
    return subprocess.Popen(  # noqa: S603  this Python, this check
        [sys.executable, str(Path(__file__).parent), *arguments],
        env={**os.environ, **shared.device.environment(number)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _finished(number: int, process: subprocess.Popen[str]) -> str:
    """Wait for a worker; returns what it noticed, in one line."""
    said, wrong = process.communicate(timeout=SECONDS)
    if process.returncode:
        last = next((line for line in reversed(wrong.splitlines()) if line.strip()), f"status {process.returncode}")
        raise CaseError(f"worker {number + 1}: {last}")
    return " ".join(said.split())


def synchronisations(shared: Shared) -> Iterator[Row]:
    """How often one pass over the embedded model waits for the device, by stage, with exact and rounded products."""
    for precision in PRECISIONS:
        cases = load_suite(SUITE, overrides=[f"autoquant.replay_precision={precision}"]).select("tiny and medium")
        for stage, (steps, waits) in _waits(shared, cases).items():
            value = "not on this device" if waits is None else f"waits {waits} times"
            yield Row(f"{precision}: {stage}, {steps} steps", value)


def _waits(shared: Shared, cases: Sequence[Case]) -> dict[str, tuple[int, int | None]]:
    """By stage: its steps, and how often it waits."""
    counts: dict[str, int] = {}
    steps: dict[str, int] = {}
    with shared.device.synchronisations() as caught:

        def count(stage: str, _done: int, total: int) -> None:
            counts[stage] = counts.get(stage, 0) + len(caught or ()) - sum(counts.values())
            steps[stage] = total

        run(cases, "replay", shared.device.name, count)
    return {stage: (steps[stage], None if caught is None else number) for stage, number in counts.items()}
