"""Figures: pure functions of manifests, the same bytes everywhere. Imports neither torch nor pytest."""
