"""Baselines: the committed artifacts of each case, what a run changes in them, and publishing. Imports no torch."""
