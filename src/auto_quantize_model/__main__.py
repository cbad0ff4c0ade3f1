"""`python -m auto_quantize_model`: cases, reports and captions without pytest."""

from __future__ import annotations

import sys

from auto_quantize_model.cli import main

if __name__ == "__main__":
    sys.exit(main())
