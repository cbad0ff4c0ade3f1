"""The check of a machine with a GPU, in stages; `python benchmarks/gpu_check --help`."""

from __future__ import annotations
