"""Captures on disk: where they lie, what they are called, which of them are there. Imports no torch."""
