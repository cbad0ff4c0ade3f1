"""Comparing with a syrupy snapshot without a traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from syrupy.assertion import SnapshotAssertion

_MOST_LINES = 30


def check_against_snapshot(value: Mapping[str, object], snapshot: SnapshotAssertion) -> str | None:
    """Compare, or with `--snapshot-update` update; returns the lines that differ, None when nothing does."""
    from syrupy.terminal import disable_color

    if snapshot == value:
        return None
    with disable_color():
        lines = snapshot.get_assert_diff()
    shown = lines[:_MOST_LINES]
    if len(lines) > len(shown):
        shown.append(f"... and {len(lines) - len(shown)} more lines")
    return "\n".join(shown)
