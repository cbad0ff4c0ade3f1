"""Every case of the suite is a test: it runs, keeps the schema, and agrees with its baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion

    from auto_quantize_model.plugin.case_run import CaseRun

# A warning of torch or transformers, in whatever version is installed, says nothing about a case.
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def test_sensitivity(sensitivity_case: CaseRun, schema_snapshot: SnapshotAssertion) -> None:
    sensitivity_case.check_artifacts()
    sensitivity_case.check_baseline()
    sensitivity_case.check_schema(schema_snapshot)
