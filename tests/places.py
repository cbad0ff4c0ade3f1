"""Where things lie in the repository."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SUITE = ROOT / "sensitivity_cases" / "suite.yaml"
TINY = ROOT / "models" / "qwen3_vl_tiny"
LEGACY = Path(os.environ.get("LEGACY_RESULTS", ROOT.parent / "shared" / "legacy"))
"""Published results of an older tool; beside the checkout of those who have them."""
