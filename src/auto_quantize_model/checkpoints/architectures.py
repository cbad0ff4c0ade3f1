"""Which transformers an architecture needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import Version

from auto_quantize_model.errors import InputError, nearest

if TYPE_CHECKING:
    from pathlib import Path

FIRST_WITH = {
    "gemma3": "4.50",
    "qwen2_5_vl": "4.49",
    "qwen3": "4.51",
    "qwen3_moe": "4.51",
    "qwen3_vl": "4.57",
    "qwen3_vl_moe": "4.57",
}
"""The first transformers with an architecture; others are known by what transformers itself lists."""


def require_architecture(model_type: str, stated_in: Path, written_by: str | None) -> None:
    """Refuse an architecture that the installed transformers does not have; `written_by` is the checkpoint's own."""
    import transformers
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    found, needed = transformers.__version__, FIRST_WITH.get(model_type)
    if needed is not None and Version(found).release < Version(needed).release:
        raise InputError(
            f"{stated_in}: model_type '{model_type}' needs transformers {needed} or newer, and {found} is installed: "
            f"pip install 'transformers>={needed}'"
        )
    if model_type not in CONFIG_MAPPING:
        wrote = f"; the checkpoint was written by transformers {written_by}" if written_by else ""
        raise InputError(
            f"{stated_in}: model_type '{model_type}' is unknown to the installed transformers {found}{wrote}: "
            f"install a version that has it ({nearest(model_type, CONFIG_MAPPING)})"
        )
