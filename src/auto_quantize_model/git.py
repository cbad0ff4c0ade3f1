"""Asking git, which may be absent, or refuse."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def ask_git(*words: str, folder: Path | None = None, stdin: bytes = b"") -> bytes | None:
    """What git answers in a folder, by default the working one; None where it refuses, or where there is no git."""
    try:
        done = subprocess.run(["git", *words], cwd=folder, input=stdin, capture_output=True, check=True)  # noqa: S603, S607
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout
