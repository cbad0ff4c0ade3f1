"""The check of a machine with a GPU: `python benchmarks/gpu_check --help`. The package need not be installed."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    root = Path(__file__).resolve().parents[2]
    # The code of this checkout is what is checked, whatever is installed.
    sys.path[:1] = [str(root / "src"), str(root)]

    from benchmarks.gpu_check.command import main

    sys.exit(main(sys.argv[1:]))
