"""`python -m auto_quantize_model`: cases, reports and captions without pytest."""

from __future__ import annotations

import io
import sys


def run() -> int:
    """Run the command line; an interrupt while it is imported ends as one later does."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # What a terminal's encoding lacks is shown as an escape, not the end of the program.
            stream.reconfigure(errors="backslashreplace")
    try:
        from auto_quantize_model.cli import main
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130
    return main()


if __name__ == "__main__":
    sys.exit(run())
