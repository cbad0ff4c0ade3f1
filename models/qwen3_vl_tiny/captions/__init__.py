"""The embedded captions: the seeded grammar that wrote them, and how alike they are to others."""

from __future__ import annotations
