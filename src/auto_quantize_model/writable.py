"""Refusing, before work begins, a place that could not be written when it is done."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from auto_quantize_model.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


def check_file_place(file: Path) -> None:
    """Refuse a place for a file where none can be."""
    if file.is_dir():
        raise InputError(f"{file}: is a folder; name a file")
    check_folder_place(file.parent)


def check_folder_place(folder: Path) -> None:
    """Refuse a folder that is not there and cannot be made, or that nothing can be written into."""
    there = next((each for each in (folder, *folder.parents) if os.path.lexists(each)), folder)
    if not there.is_dir():
        raise InputError(f"{there}: is a file, so nothing can be written into it; name another place")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InputError(f"{there}: may not be written into; name another place, or change who may")
