"""How paths are shown to a user."""

from __future__ import annotations

import os
import re
from pathlib import Path


def display_path(path: Path) -> str:
    """A path as a user would type it: relative where it lies below the working directory."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def shortened(text: str) -> str:
    """A text with the paths below the working directory as they are typed there."""
    return re.sub(rf"(?<![\w./-]){re.escape(f'{Path.cwd()}{os.sep}')}", "", text)
