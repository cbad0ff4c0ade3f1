"""The table of faults: every row names a test that is there."""

from __future__ import annotations

import re

import pytest
from tests.places import ROOT

ROWS = [
    line
    for line in (ROOT / "docs" / "faults.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith(("| fault", "| ---"))
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split(" | ")[0])
def test_a_row_is_a_test(row: str) -> None:
    cells = row.strip("| ").split(" | ")
    found = re.search(r"`(tests/[^`:]+)((?:::\w+)*)`", cells[-1])
    assert found is not None
    text = (ROOT / found[1]).read_text(encoding="utf-8")
    for name in found[2].split("::")[1:]:
        assert re.search(rf"^ *(def|class) {name}\b", text, re.MULTILINE), name
