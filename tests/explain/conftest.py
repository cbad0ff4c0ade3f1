from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.places import ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def older_text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another file of captions: the embedded ones backwards."""
    text = (ROOT / "sensitivity_cases" / "data" / "embedded_captions_medium.txt").read_text(encoding="utf-8")
    file = tmp_path_factory.mktemp("older") / "older.txt"
    file.write_text("\n".join(reversed(text.splitlines())) + "\n", encoding="utf-8")
    return file
