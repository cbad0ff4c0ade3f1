from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.plugin.projects import Project

if TYPE_CHECKING:
    from auto_quantize_model import Suite


@pytest.fixture(scope="session")
def warm(suite: Suite) -> None:
    """Import all that a run needs: an inner session's imports are undone after it, which torch does not survive."""
    from auto_quantize_model import run_cases

    cases = suite.select("tiny and small and (wfp8_afp16 or wint8_aint8 or wfp4_afp16)")
    for engine in ("replay", "modelopt"):
        assert not [result for result in run_cases(cases, engine=engine, device="cpu") if result.error]


@pytest.fixture
def project(pytester: pytest.Pytester, warm: None, as_at_home: None) -> Project:
    made = Project(pytester)
    made.write_suite()
    made.write_model("one")
    made.write_model("two")
    made.write_tests()
    return made
