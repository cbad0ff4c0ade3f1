"""The configuration that comes with the package: the pairs, datasets and settings that every suite can name."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def builtin_folder() -> Path:
    """The folder of the built-in `conf/` and `data/`.

    A wheel carries them inside the package; an editable install reads them where the repository keeps them.
    """
    packaged = _PACKAGE / "builtin"
    return packaged if packaged.is_dir() else _PACKAGE.parents[1] / "sensitivity_cases"
