"""What takes minutes and prints figures: no tests. `CONTRIBUTING.md` lists the commands."""

from __future__ import annotations
