"""What it costs to run the embedded matrix as tests: against the bare engine, both sides in one run, in turns."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXPRESSION = "tiny"


def seconds(*command: str) -> float:
    """The wall time of a command of this Python."""
    started = time.perf_counter()
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True, capture_output=True)  # noqa: S603
    return time.perf_counter() - started


def main() -> None:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="Runs of each side (default: %(default)s)")
    rounds = parser.parse_args().rounds
    suite = ("-m", "pytest", "-q", "-m", "gpu", "sensitivity_cases", "-k", EXPRESSION)
    bare, tests, start = [], [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as output:
            bare.append(seconds("-m", "auto_quantize_model", "run", "-k", EXPRESSION, "--output", output))
            tests.append(seconds(*suite, "--sensitivity-output", output))
        start.append(seconds(*suite, "--collect-only"))
    engine, whole, collect = (statistics.median(each) for each in (bare, tests, start))
    sys.stdout.write(
        f"the embedded matrix, medians of {rounds}: engine alone {engine:.1f} s, as tests {whole:.1f} s, "
        f"of which pytest's start and collection {collect:.1f} s\n"
        f"ratio without that start: {(whole - collect) / engine:.2f} (aim: at most 1.3)\n"
    )


if __name__ == "__main__":
    main()
