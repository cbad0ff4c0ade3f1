"""Calibration captions: the embedded ones' grammar, the user's own COCO annotations, reading and comparing."""

from __future__ import annotations
