"""Where a suite is, when only a folder to start from is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SUITE_FILE = "suite.yaml"
SUITE_FOLDER = "sensitivity_cases"
"""Where a repository usually keeps its suite."""


def suite_above(folder: Path, highest: Path | None = None) -> Path | None:
    """The suite of a file in a folder: in that folder, or in the nearest one above it, up to the highest."""
    return _first_suite(folder, highest, ("",))


def suite_near(folder: Path) -> Path | None:
    """The suite of a command started in a folder: as above, or in a `sensitivity_cases/` on the way up."""
    return _first_suite(folder, None, ("", SUITE_FOLDER))


def _first_suite(folder: Path, highest: Path | None, places: tuple[str, ...]) -> Path | None:
    for each in (folder, *folder.parents):
        for place in places:
            if (each / place / SUITE_FILE).is_file():
                return each / place / SUITE_FILE
        if each == highest:
            break
    return None
