"""The engines there are, by the names that users give them."""

from __future__ import annotations

from typing import Literal

EngineName = Literal["replay", "modelopt"]
ENGINES: tuple[EngineName, ...] = ("replay", "modelopt")
