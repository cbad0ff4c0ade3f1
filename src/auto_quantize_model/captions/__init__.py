"""Calibration captions: reading them from files of several kinds, and picking them from COCO annotations."""

from __future__ import annotations
