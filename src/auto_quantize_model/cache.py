"""Where this user keeps what can be made again."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

VARIABLE = "SENSITIVITY_CACHE"


def cache_root() -> Path:
    """The folder of everything that is kept between runs; nothing in it is ever missed."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else platformdirs.user_cache_path("auto-quantize-model")
