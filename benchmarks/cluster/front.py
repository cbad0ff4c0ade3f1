"""Runs cases as a front of a cluster, or alone: a line on its standard output for every step, manifests in a folder."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from auto_quantize_model import CaptureSettings, load_suite, run_cases
from auto_quantize_model.engine.capture.interrupted import forget
from auto_quantize_model.manifest.document import dumps
from benchmarks.places import SUITE


def say(what: str, *values: object) -> None:
    """A line for who started this."""
    sys.stdout.write(json.dumps([round(time.monotonic(), 3), what, *values]) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Run, and say how far it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("expression")
    parser.add_argument("output", type=Path)
    parser.add_argument("--cluster")
    parser.add_argument("--captures", type=Path)
    arguments = parser.parse_args()
    cases = load_suite(SUITE).select(arguments.expression)
    captures = CaptureSettings(folder=arguments.captures, run=None if arguments.captures is None else "benchmark")
    say("start")
    for result in run_cases(
        cases,
        device="cpu",
        captures=captures,
        cluster=arguments.cluster,
        progress=lambda *step: say("progress", *step),
        notice=lambda line: say("notice", line),
    ):
        text = str(result.error) if result.manifest is None else dumps(result.manifest)
        (arguments.output / f"{result.case.id}.json").write_text(text, encoding="utf-8")
    say("end")
    forget(captures)


if __name__ == "__main__":
    main()
