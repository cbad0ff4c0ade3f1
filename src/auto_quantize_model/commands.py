"""The commands that messages, and the index of a model, tell a user to type next."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def run_command(suite_folder: str, expression: str, *options: str) -> str:
    """Run the cases that an expression selects; a suite's folder holds the tests of its cases."""
    return _typed(["pytest", "-m", "gpu", suite_folder, "-k", expression, *options])


def publish_command(suite_folder: str, expression: str, *options: str) -> str:
    """Run the cases that an expression selects, and publish them."""
    return run_command(suite_folder, expression, *options, "--publish")


def drift_command(suite_folder: str, *options: str) -> str:
    """Run the drift checks of a suite."""
    return " ".join(['pytest -m "not gpu"', _typed([suite_folder, *options])])


def explain_command(case_id: str, *options: str) -> str:
    """Say which share of a case's drift each cause has."""
    return _typed(["python", "-m", "auto_quantize_model", "explain", case_id, *options])


def _typed(words: Iterable[str]) -> str:
    return " ".join(shlex.quote(word) for word in words)
