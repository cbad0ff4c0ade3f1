"""Where things lie in the checkout that is measured."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SUITE = ROOT / "sensitivity_cases" / "suite.yaml"
TINY = ROOT / "models" / "qwen3_vl_tiny"
