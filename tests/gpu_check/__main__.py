"""The check of a machine with a GPU: `python tests/gpu_check --help`. The package need not be installed."""

from __future__ import annotations

import sys
import types
from pathlib import Path

if __name__ == "__main__":
    root = Path(__file__).resolve().parents[2]
    # The code beside this file is what is checked, whatever is installed.
    sys.path[0] = str(root / "src")
    # By hand, because a package `tests` that something installed would be found first.
    tests = types.ModuleType("tests")
    tests.__path__ = [str(root / "tests")]
    sys.modules["tests"] = tests

    from tests.gpu_check.command import main

    sys.exit(main(sys.argv[1:]))
