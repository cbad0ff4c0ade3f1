"""The embedded captions: `python models/qwen3_vl_tiny/captions --help`."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

    from captions.command import main

    sys.exit(main(sys.argv[1:]))
