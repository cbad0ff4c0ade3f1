"""What the tests of this suite share."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from syrupy.extensions.amber import AmberSnapshotExtension

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion
    from syrupy.location import PyTestLocation
    from syrupy.types import SnapshotIndex


class CommittedSchemas(AmberSnapshotExtension):
    """The snapshots of the drift check, one a case: a fresh manifest must have the structure of the committed one."""

    @classmethod
    def get_file_basename(cls, *, test_location: PyTestLocation, index: SnapshotIndex) -> str:  # noqa: ARG003  syrupy's
        """The drift check's file, whichever test compares."""
        return "test_drift"

    @classmethod
    def get_snapshot_name(cls, *, test_location: PyTestLocation, index: SnapshotIndex = 0) -> str:  # noqa: ARG003  syrupy's
        """The drift check's name for the case of the test that compares."""
        case_id = test_location.snapshot_name.partition("[")[2]
        return f"test_manifest[{case_id}"


@pytest.fixture
def schema_snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Compares only: `--snapshot-update` updates by the drift check, from what is committed."""
    shared = snapshot.use_extension(CommittedSchemas)
    shared.update_snapshots = False
    shared.update_new_snapshots_only = False
    return shared


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hypothesis, where it is installed, would be imported for the summary of a session that did not use it."""
    plugins = session.config.pluginmanager
    if "hypothesis" not in sys.modules and plugins.has_plugin("hypothesispytest"):
        plugins.unregister(name="hypothesispytest")
