"""`python -m auto_quantize_model`: cases, reports and captions without pytest."""

from __future__ import annotations

import sys


def run() -> int:
    """Run the command line; an interrupt while it is imported ends as one later does."""
    try:
        from auto_quantize_model.cli import main
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130
    return main()


if __name__ == "__main__":
    sys.exit(run())
