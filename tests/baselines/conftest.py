from __future__ import annotations

from tests.models_tree import case, manifest, models, tiny_suite

__all__ = ["case", "manifest", "models", "tiny_suite"]
