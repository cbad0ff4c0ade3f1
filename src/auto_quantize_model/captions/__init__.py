"""Calibration captions: reading them, and picking them from the user's own COCO annotations."""

from __future__ import annotations
