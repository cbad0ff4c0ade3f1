"""What cosmic-ray runs for each change: the tests that run the changed line, until one fails.

`python -m benchmarks.mutants.noticing RECORDS`, in the changed copy. Ends with 0 where no test notices.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.mutants.choosing import tests_that_run

if TYPE_CHECKING:
    from benchmarks.mutants.choosing import Stage

NO_TEST = "no test runs"
TIMES = 5.0
"""How many times as long as recorded tests may take: what takes longer does not end, which counts as noticed."""


def main() -> int:
    """Run the tests of the change that git sees, those first that are likeliest to notice."""
    records = Path(sys.argv[1])
    name, line = _changed()
    stages = tests_that_run(Path.cwd() / name, line, records)
    if not stages:
        sys.stdout.write(f"{NO_TEST} {name}:{line}\n")
    return next((status for status in map(_status, stages) if status), 0)


def _status(stage: Stage) -> int:
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write("\n".join(stage.tests))
        file.flush()
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", f"@{file.name}"]
        try:
            return subprocess.run(command, check=False, timeout=TIMES * stage.seconds).returncode  # noqa: S603
        except subprocess.TimeoutExpired:
            return 1


def _changed() -> tuple[str, int]:
    command = ["git", "diff", "--unified=0", "--no-color", "--", "src"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
    (name,) = re.findall(r"^\+\+\+ b/(.*)$", text, re.MULTILINE)
    line = re.findall(r"^@@ -\d+(?:,\d+)? \+(\d+)", text, re.MULTILINE)[0]
    return name, int(line)


if __name__ == "__main__":
    sys.exit(main())
