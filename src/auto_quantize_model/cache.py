"""Where the project keeps what it can compute again."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "SENSITIVITY_CACHE"


def cache_root() -> Path:
    """The cache folder: the user's own, or the one that the environment variable `SENSITIVITY_CACHE` names."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    from platformdirs import user_cache_path

    return user_cache_path("auto-quantize-model")
