from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auto_quantize_model.engine.capture import identity

if TYPE_CHECKING:
    from pathlib import Path


def test_the_code_that_captures_is_found() -> None:
    assert len(identity.code_version()) == 24


def test_a_pattern_that_names_no_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "recording.py").touch()
    assert identity.source_files(tmp_path, ["recording.py"]) == [tmp_path / "recording.py"]
    with pytest.raises(FileNotFoundError, match=r"moved\.py: no such source file"):
        identity.source_files(tmp_path, ["recording.py", "moved.py"])
